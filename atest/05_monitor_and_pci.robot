*** Settings ***
Documentation       QEMU's monitor, and PCI devices as the host and as the guest name them.

Resource            resources/common.resource
Library             resources/Failures.py

Suite Setup         Start A VM Of Each Machine Type
Suite Teardown      Stop All VMs

Test Timeout        5 min

Test Tags           monitor    both-versions


*** Test Cases ***
QMP Commands Take Arguments And Return Values
    [Documentation]    As dictionaries and lists, with their types.
    ${status} =    Run QMP Command    pc    query-status
    Should Be Equal    ${status}[status]    running
    Should Be Equal    ${status}[running]    ${True}
    ${type} =    Run QMP Command    pc    qom-get    path=/machine    property=type
    Should End With    ${type}    -machine
    Run QMP Command    pc    set_link    name=host-connect-nic    up=${False}
    Run QMP Command    pc    set_link    name=host-connect-nic    up=${True}

QMP Errors Carry QEMU's Words
    [Documentation]    And the VM goes on.
    Run Keyword And Expect Error
    ...    VM 'pc': QEMU refused no-such-command: The command no-such-command has not been found*
    ...    Run QMP Command    pc    no-such-command
    Run Keyword And Expect Error
    ...    VM 'pc': QEMU refused device_del: Device 'nothing' not found*
    ...    Run QMP Command    pc    device_del    id=nothing
    Run Keyword And Expect Error
    ...    VM 'pc': QEMU refused set_link: *boolean*Values keep their type: write $\{True}*
    ...    Run QMP Command    pc    set_link    name=host-connect-nic    up=no
    VM Should Be Running    pc

The Human Monitor Answers In Text
    [Documentation]    Its errors are text too, and fail the keyword.
    [Tags]    fault-54
    ${text} =    Run Monitor Command    pc    info name
    Should Be Equal    ${text.strip()}    pc
    Should Fail Saying    MonitorCommandError
    ...    VM 'pc': QEMU's human monitor refused 'no-such-command': unknown command: 'no-such-command'*
    ...    Run Monitor Command    pc    no-such-command
    VM Should Be Running    pc

Every Mapped Device Is Where The Guest Sees It
    [Documentation]    Addresses and kinds agree on both machine types, behind bridges too.
    FOR    ${vm}    IN    pc    q35
        ${mapping} =    Get VM PCI Mapping    ${vm}
        Should Be Equal    ${mapping}    ${SESSIONS}[${vm}]
        FOR    ${id}    ${address}    IN    &{mapping}
            ${found} =    Get Guest PCI Address    ${vm}    ${id}
            Should Be Equal    ${found}    ${address}
            Execute In Guest
            ...    ${vm}
            ...    test
            ...    -d
            ...    /sys/bus/pci/devices/${address}
            ...    expected_rc=${0}
        END
    END

A Device Behind A Bridge Is On The Bus Behind It
    [Documentation]    The guest gave that bus a number when it booted.
    FOR    ${vm}    IN    pc    q35
        ${address} =    Get Guest PCI Address    ${vm}    behind
        Should Not Start With    ${address}    0000:00:
        ${bridge} =    Get Guest PCI Address    ${vm}    bridge
        ${link} =    Execute In Guest    ${vm}    readlink    /sys/bus/pci/devices/${address}
        Should Contain    ${link.stdout}    /${bridge}/${address}
        ${kind} =    Execute In Guest    ${vm}    cat    /sys/bus/pci/devices/${address}/device
        Should Match Regexp    ${kind.stdout}    ^0x(1005|1044)
    END

An Unknown Device Is Told With Those There Are
    [Documentation]    With the nearest name.
    Run Keyword And Expect Error
    ...    *'behin'*Did you mean 'behind'?*
    ...    Get Guest PCI Address    pc    behin

The Display Is Kept As A Picture
    [Documentation]    A PNG, shown in the log and kept with the artifacts.
    ${path} =    Capture VM Screenshot    pc
    ${head} =    Evaluate    open($path, 'rb').read(8)
    Should Be True    $head.startswith(b'\\x89PNG')
    Should Contain    ${path}    /vms/pc/start-1/screen-1.png
    ${chosen} =    Capture VM Screenshot    pc    ${OUTPUT_DIR}/chosen.png
    Should Be Equal    ${chosen}    ${OUTPUT_DIR}/chosen.png
    OperatingSystem.File Should Exist    ${chosen}

A VM Without A Display Says How To Get One
    [Documentation]    The parameter is named.
    Run Keyword And Expect Error
    ...    VM 'q35' has no picture of its display. Create the VM with vnc=auto=yes *\n*screendump*
    ...    Capture VM Screenshot    q35


*** Keywords ***
Start A VM Of Each Machine Type
    [Documentation]    Each has a bridge with a device behind it.
    VAR    &{SESSIONS}    &{EMPTY}    scope=SUITE
    Create VM    pc    vnc=auto=yes
    Add VM Device    pc    driver=pci-bridge    opt_id=bridge    chassis_nr=7
    Create VM    q35    machine=machine=q35
    Add VM Device    q35    driver=pcie-root-port    opt_id=bridge    chassis=7
    FOR    ${vm}    IN    pc    q35
        ${bus_options} =    Set Variable If    '${vm}' == 'pc'    ${{ {'addr': '03'} }}    ${{ {} }}
        Add VM Device    ${vm}    driver=virtio-rng-pci    opt_id=behind    bus=bridge    &{bus_options}
        ${session} =    Start VM    ${vm}    wait_for=agent
        ${mapping} =    Convert To Dictionary    ${session.pci_mapping}
        Set To Dictionary    ${SESSIONS}    ${vm}=${mapping}
    END
