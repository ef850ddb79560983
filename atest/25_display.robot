*** Settings ***
Documentation       VNC displays and their pictures, and what else can be asked of a VM.

Resource            resources/guest.resource
Library             resources/Pictures.py

Suite Setup         Start VM With Display
Suite Teardown      Stop All VMs    timeout=0 s

Test Tags           display    both-versions


*** Variables ***
# Each specification is started once here, so a template would be made for nothing.
${WARM}      ${FALSE}    # robocop: off=VAR02


*** Test Cases ***
The Picture Shows The Display
    [Documentation]    Text on a ground, not one colour.
    ${path} =    Capture VM Screenshot    vm0
    ${picture} =    Read PNG    ${path}
    Should Be True    ${picture.width} >= 640 and ${picture.height} >= 350
    Should Be True    2 <= ${picture.colours} <= 256

VNC Is Offered To This Machine Alone
    [Documentation]    On a port that QEMU picked.
    ${vnc} =    Run QMP Command    vm0    query-vnc
    Should Be Equal    ${vnc}[host]    127.0.0.1
    VAR    ${port}    ${{ int($vnc['service']) }}
    Should Be True    5900 <= ${port} <= 65535
    ${listeners} =    Get Addresses That Are Listened On    ${port}
    Should Be Equal    ${listeners}    ${{ ['127.0.0.1'] }}
    ${greeting} =    Evaluate
    ...    socket.create_connection(('127.0.0.1', ${port}), timeout=60).recv(4)
    ...    modules=socket
    Should Be Equal    ${greeting}    ${{ b'RFB ' }}

A Display Number Is Kept To
    [Documentation]    It is the port less 5900. Another VM of the run cannot have it too.
    ${number} =    Get Free Display Number
    Create VM    vm1    vnc=displayNum=${number}
    Start VM    vm1    wait_for=process
    ${vnc} =    Run QMP Command    vm1    query-vnc
    Should Be Equal As Integers    ${vnc}[service]    ${5900 + ${number}}
    Create VM    vm2    vnc=displayNum=${number}
    Run Keyword And Expect Error
    ...    VM 'vm2': VNC display ${number} is that of VM 'vm1', which runs. Give another *
    ...    Start VM    vm2    wait_for=process
    Stop VM    vm1    timeout=0 s
    Start VM    vm2    wait_for=process
    [Teardown]    Run Keywords
    ...    Stop VM    vm1    timeout=0 s    AND
    ...    Stop VM    vm2    timeout=0 s

A Display That Somebody Else Has Is Told
    [Documentation]    By its number and by the remedy.
    ${number} =    Get Free Display Number
    ${holder} =    Evaluate    socket.create_server(('127.0.0.1', 5900 + ${number}))
    ...    modules=socket
    Create VM    vm3    vnc=displayNum=${number}
    Run Keyword And Expect Error
    ...    VM 'vm3': VNC display ${number} (port ${5900 + ${number}} of 127.0.0.1) is taken by*
    ...    Start VM    vm3    wait_for=process
    Call Method    ${holder}    close

The Address Of The Guest Is Known
    [Documentation]    That of its control card, or of another interface.
    ${ip} =    Get VM IP    vm0
    Should Be Equal    ${ip}    10.0.2.15
    ${ip} =    Get VM IP    vm0    host_connect
    Should Be Equal    ${ip}    10.0.2.15
    Run Keyword And Expect Error
    ...    VM 'vm0' has no guest interface 'host_conect'. Did you mean 'host_connect'?*
    ...    Get VM IP    vm0    host_conect

The Version Of QEMU Is That Of The Binary
    [Documentation]    As the running one tells it too.
    ${version} =    Get QEMU Version
    ${reply} =    Run QMP Command    vm0    query-version
    VAR    ${numbers}    ${reply}[qemu]
    Should Be Equal    ${version}    ${numbers}[major].${numbers}[minor].${numbers}[micro]


*** Keywords ***
Start VM With Display
    [Documentation]    The number is QEMU's choice.
    Create VM    vm0    vnc=auto=yes
    Start VM    vm0    wait_for=agent
