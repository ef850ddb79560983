*** Settings ***
Documentation     Another user of the host can neither read, replace, reach nor stop anything
...               of a running VM. Each attempt is shown to work for the VM's owner.

Resource          ../resources/guest.resource
Library           SSHLibrary
Library           Intruders.py
Library           Processes.py
Library           ../resources/Failures.py

Suite Setup       Start VM That Has Everything
Suite Teardown    End What Was Started
Test Timeout      4 min

Test Tags         security


*** Variables ***
${NOBODY}        65534
${STRANGER}      47110
# Eight characters, as VNC takes no more.
${PASSWORD}      Xq7-pLw9
@{ON_PROCESS}
...              read /proc/PID/environ
...              read /proc/PID/mem
...              look into /proc/PID/fd
...              write to the memory of PID
...              trace PID
...              take a descriptor of PID
...              find a secret in the command line of PID
...              read the memory of PID by a call
...              enter the namespaces of PID
...              let the kernel kill PID first
...              have PID dump all
...              signal PID by its descriptor
...              set a limit of PID
...              move PID to other processors
...              change the priority of PID
...              signal PID


*** Test Cases ***
The Attempts Are Ones That Work For The Owner
    [Documentation]    Else the other tests would show nothing. What ends the VM is left out.
    ${worked} =    Try As User    0    ${FACTS}    -name    gentle=${True}
    VAR    ${directory}    ${FACTS}[directories][0]
    FOR    ${attempt}    IN    list    enter    make a file in    make a link in
        Dictionary Should Contain Key    ${worked}    ${attempt} ${directory}
    END
    FOR    ${attempt}    IN    read    write to    lock    take a hard link to
        Dictionary Should Contain Key    ${worked}    ${attempt} ${directory}/serial.log
    END
    FOR    ${path}    IN    ${directory}/serial.sock    ${MONITOR}
        Dictionary Should Contain Key    ${worked}    connect to ${path}
    END
    FOR    ${attempt}    IN    @{ON_PROCESS}
        Dictionary Should Contain Key    ${worked}    ${{ $attempt.replace('PID', str($PID)) }}
    END

Nobody Gets At Anything
    [Documentation]    Files, directories, sockets and processes, memory and locks included.
    FOR    ${user}    IN    ${NOBODY}    ${STRANGER}
        ${worked} =    Try As User    ${user}    ${FACTS}    ${PASSWORD}
        Should Be Empty    ${worked}
    END
    VM Should Be Running    vm0
    Guest Should Answer    vm0

Nobody Gets At What Outlives The VM
    [Documentation]    Its template, and the key of its guest.
    @{templates} =    List VM Templates
    ${facts} =    Files Of VM    ${PID}    ${templates[0].directory}    ${SESSION.key}
    ${worked} =    Try As User    ${NOBODY}    ${facts}    ${PASSWORD}
    Should Be Empty    ${worked}

The Guest Is Opened By The User's Key Alone
    [Documentation]    Its port is open to every user of the host, and no password fits.
    ${let_in} =    Guess Passwords    ${SESSION.host}    ${SESSION.port}    ${PASSWORD}
    Should Be Empty    ${let_in}
    ${status} =    Evaluate    os.stat($SESSION.key)    modules=os
    Should Be Equal    ${{ oct($status.st_mode & 0o777) }}    0o600

A Password Of The Configuration Is Set In The Guest
    [Documentation]    For who wants to log in by hand; it is in no command line.
    Create VM    vm1    login=password=${PASSWORD}
    ${session} =    Start VM    vm1
    Should Be Equal    ${session.key}    ${None}
    ${let_in} =    Guess Passwords    ${session.host}    ${session.port}    ${PASSWORD}
    Should Be Equal    ${let_in}    ${{ [$PASSWORD] }}
    ${vm} =    Get VM    vm1
    ${command} =    OperatingSystem.Get File    /proc/${vm.pid}/cmdline
    Should Not Contain    ${command}    ${PASSWORD}
    No File Should Contain    ${vm.artifacts}    ${PASSWORD}
    [Teardown]    Stop VM    vm1    timeout=0 s

The Display Asks For A Password
    [Documentation]    For the one of the configuration. VNC's way of it has the number 2.
    ${display} =    Get VM Display    vm0
    Should Be Equal    ${display.password}    ${PASSWORD}
    ${types} =    Get VNC Security Types    ${display.host}    ${display.port}
    Should Be Equal    ${types}    ${{ [2] }}

Nothing Listens For Other Machines
    [Documentation]    127.0.0.1 is 0100007F: the forward to SSH, and the display.
    ${addresses} =    Get Listening Addresses    ${PID}
    Length Should Be    ${addresses}    2
    FOR    ${address}    IN    @{addresses}
        Should Start With    ${address}    0100007F:
    END

Nothing Else Listens
    [Documentation]    Neither the run nor its supervisor, and none by a name without a file.
    FOR    ${process}    IN    @{FACTS}[processes]
        ${names} =    Get Abstract Sockets    ${process}
        Should Be Empty    ${names}
        IF    '${process}' != '${PID}'
            ${addresses} =    Get Listening Addresses    ${process}
            Should Be Empty    ${addresses}
        END
    END

Another Host Key Within One Boot Is Refused
    [Documentation]    Whatever answers at the port then, it is sent no password. Back with its own
    ...    key, the guest is let in again; no file of the user's has it.
    [Tags]    fault-67
    Ask Guest    vm0    mv /run/ssh_host_ed25519_key /run/ssh_host_ed25519_key.pub /root/
    Ask Guest    vm0    kill $(pidof sshd)
    Wait Until In Guest    vm0    test -e /run/ssh_host_ed25519_key.pub
    Should Fail Saying    HostKeyError
    ...    VM 'vm0': the SSH server on 127.0.0.1:${SESSION.port} shows the host key *the guest's is *
    ...    Log In To VM    vm0
    VM Should Be Running    vm0
    Ask Guest    vm0    mv /root/ssh_host_ed25519_key /root/ssh_host_ed25519_key.pub /run/
    Ask Guest    vm0    kill $(pidof sshd)
    Log In To VM    vm0
    ${name} =    Execute Command    hostname
    Should Be Equal    ${name}    vm0

Another Boot Has Another Host Key
    [Documentation]    It is read anew.
    Reboot Guest    vm0
    ${name} =    Execute Command    hostname
    Should Be Equal    ${name}    vm0


*** Keywords ***
Start VM That Has Everything
    [Documentation]    A console and a monitor on sockets, a display with a password.
    ${short} =    Evaluate    tempfile.mkdtemp(prefix='mon', dir='/tmp')    modules=tempfile
    VAR    ${PLACE}    ${short}    scope=SUITE
    VAR    ${MONITOR}    ${short}/hmp.sock    scope=SUITE
    Create VM    vm0
    ...    vnc=password=${PASSWORD}
    ...    serial=type=socket
    ...    monitor=path=${MONITOR}
    ${session} =    Start VM    vm0
    VAR    ${SESSION}    ${session}    scope=SUITE
    Find Out What It Has    ${short}

Find Out What It Has
    [Documentation]    Its process, and all in its directory and in that of its monitor.
    [Arguments]    ${short}
    ${vm} =    Get VM    vm0
    VAR    ${PID}    ${vm.pid}    scope=SUITE
    ${directory} =    Get Directory Of VM    ${PID}
    ${facts} =    Files Of VM    ${PID}    ${directory}    ${short}
    VAR    ${FACTS}    ${facts}    scope=SUITE

End What Was Started
    [Documentation]    The VM, and the directory of its monitor.
    Stop All VMs    timeout=0 s
    Remove Directory    ${PLACE}    recursive=${True}
