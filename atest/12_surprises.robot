*** Settings ***
Documentation       What a guest, or a tester, does that the library did not do: it is noticed, told,
...                 and never keeps a VM from being stopped.

Resource            resources/common.resource
Library             SSHLibrary
Library             resources/Failures.py

Test Teardown       Stop All VMs    timeout=0
Test Timeout        4 min

Test Tags           surprises


*** Test Cases ***
A Kernel Panic Ends The Keyword That Waits
    [Documentation]    And it is told to the next one that needs the guest.
    [Tags]    fault-59
    Start A Guest
    ${error} =    Should Fail Saying    GuestPanic    *
    ...    Execute In Guest    vm0    echo c > /proc/sysrq-trigger    timeout=60 s
    Should Start With
    ...    ${error}
    ...    VM 'vm0': the guest's kernel panicked (sysrq triggered crash); 'Execute In Guest' needs it running.
    Should Contain    ${error}    Serial console, last lines:
    Should Contain    ${error}    </TASK>
    Should Fail Saying    GuestPanic    *the guest's kernel panicked*    Ping Guest Agent    vm0

A Guest That Panicked Can Be Looked At And Reset
    [Documentation]    After the reset it is a guest like any other.
    [Tags]    fault-59
    Start A Guest
    Should Fail Saying    GuestPanic    *panicked*
    ...    Execute In Guest    vm0    echo c > /proc/sysrq-trigger    timeout=60 s
    ${status} =    Get VM Status    vm0
    Should Be Equal    ${status}    crashed
    Run Keyword And Expect Error
    ...    VM 'vm0' should be running, but it is guest-panicked.
    ...    VM Should Be Running    vm0
    Reset VM    vm0
    Resume VM    vm0
    Wait Until Guest Is Ready    vm0
    Guest Should Answer    vm0

The Status Is Asked For
    [Documentation]    Not remembered: the CPUs may have been stopped by another way.
    Start A Guest
    Run QMP Command    vm0    stop
    ${status} =    Get VM Status    vm0
    Should Be Equal    ${status}    paused
    Run QMP Command    vm0    cont
    ${status} =    Get VM Status    vm0
    Should Be Equal    ${status}    running

Closed Connections Keep No VM From Being Stopped
    [Documentation]    Testers may close what they like.
    Start A Guest    wait_for=ssh
    Close All Connections
    ${stage} =    Stop VM    vm0
    Should Be Equal    ${stage.value}    guest agent shutdown

The Tester's Own Connection Stays
    [Documentation]    SSHLibrary gives it the index that the VM's connection had.
    Start A Guest    wait_for=ssh
    ${vm} =    Get VM    vm0
    Close All Connections
    Open Connection    127.0.0.1    alias=mine    port=${vm.session.port}    prompt=REGEXP:#
    Login With Public Key    root    ${vm.session.key}
    Stop VM    vm0    timeout=0
    ${mine} =    Get Connection
    Should Be Equal    ${mine.alias}    mine


*** Keywords ***
Start A Guest
    [Documentation]    A guest of its own for each test, as each harms it.
    [Arguments]    ${wait_for}=agent
    Create VM    vm0
    Start VM    vm0    timeout=${PATIENCE}    wait_for=${wait_for}
    # The agent answers before the driver is there that tells QEMU of a panic.
    Execute In Guest
    ...    vm0
    ...    until [ -d /sys/bus/pci/drivers/pvpanic-pci ]; do usleep 10000; done
    ...    expected_rc=0
