*** Settings ***
Documentation       A guest that reboots or powers off while it is needed: what waits for it is told
...                 at once, and what belonged to the old boot ends with it.

Resource            ../resources/guest.resource
Library             ../resources/Failures.py
Library             SSHLibrary

Suite Setup         Start A Guest
Suite Teardown      Stop All VMs    timeout=0 s

Test Timeout        5 min

Test Tags           faults


*** Test Cases ***
The Guest Reboots Under A Command Of Its Agent
    [Documentation]    The message has the boot that ended; the VM lives, its SSH session is over.
    [Tags]    fault-58
    ${boot} =    Get Boot Of Guest    vm0
    ${error} =    Should Fail Saying    GuestRebooted
    ...    VM 'vm0': the guest was reset within 'Execute In Guest', and what that had begun in it is lost.*
    ...    Execute In Guest    vm0    echo b > /proc/sysrq-trigger; sleep 60
    Should Contain    ${error}    Boot id before: ${boot}
    Run Keyword And Expect Error    *    Write    echo too late

The Reboot Is Remembered And The New Boot Waited For
    [Documentation]    By its event, too. SSHLibrary is logged in to the new boot then.
    [Tags]    fault-58
    Should Fail Saying    GuestRebooted
    ...    VM 'vm0': the guest was reset * and no keyword asked for that*
    ...    VM Should Not Have Crashed    vm0
    ${reset} =    Wait Until VM Event    vm0    RESET    timeout=1 s
    Should Be True    ${reset.data}[guest]
    Wait Until Guest Is Ready    vm0
    ${name} =    Execute Command    hostname
    Should Be Equal    ${name}    vm0

The Guest Reboots Under A Command Over SSH
    [Documentation]    No answer will come, so the session is cut off instead of hanging.
    [Tags]    fault-58
    Wait Until Drivers Are Loaded    vm0
    Start Command    echo b > /proc/sysrq-trigger; sleep 600
    ${rc} =    Read Command Output    return_stdout=False    return_rc=True
    Should Be Equal As Integers    ${rc}    -1

The Guest Powers Off Under A Command Of Its Agent
    [Documentation]    With QEMU's reason; nothing is left, and it is no crash.
    [Tags]    fault-60
    Wait Until Guest Is Ready    vm0
    ${error} =    Should Fail Saying    GuestShutdown
    ...    VM 'vm0': the guest shut itself down (guest-shutdown); 'Execute In Guest' needs it running.*
    ...    Execute In Guest    vm0    echo o > /proc/sysrq-trigger; sleep 60
    Should Contain    ${error}    Process ended: exit code 0
    VM Should Not Have Crashed    vm0
    Nothing Should Be Left Of This Run


*** Keywords ***
Start A Guest
    [Documentation]    With SSH.
    Create VM    vm0
    Start VM    vm0    timeout=${PATIENCE}
    Wait Until Drivers Are Loaded    vm0
    # The boot's id is asked for behind the keywords; an answer shows that it is known.
    Guest Should Answer    vm0
