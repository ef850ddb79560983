*** Settings ***
Documentation       A VM whose guest is held, reset and rebooted while it runs.

Resource            resources/common.resource
Library             SSHLibrary

Suite Setup         Start VM In Suite
Suite Teardown      Stop All VMs

Test Timeout        5 min

Test Tags           lifecycle    power


*** Test Cases ***
A Paused VM Is Not Running
    [Documentation]    QEMU and the library agree on it.
    Pause VM    vm0
    ${status} =    Get VM Status    vm0
    Should Be Equal    ${status}    paused
    ${reply} =    Run QMP Command    vm0    query-status
    Should Be Equal    ${reply}[status]    paused
    Run Keyword And Expect Error
    ...    VM 'vm0' should be running, but it is paused.
    ...    VM Should Be Running    vm0

A Resumed VM Goes On Where It Was
    [Documentation]    The SSH connection has outlived the pause.
    Resume VM    vm0
    VM Should Be Running    vm0
    ${name} =    Execute Command    hostname
    Should Be Equal    ${name}    vm0
    ${boot} =    Get Boot Of Guest    vm0
    Should Be Equal    ${boot}    ${FIRST_BOOT}

A Running VM Does Not Stop By Itself
    [Documentation]    Waiting for it has an end.
    Run Keyword And Expect Error
    ...    VM 'vm0' did not stop within 0.1 s; it is running.
    ...    Wait Until VM Stops    vm0    timeout=0.1 s

A Rebooted Guest Is Logged In Again
    [Documentation]    Under the same alias; nothing of the old boot answers.
    Execute Command    touch /run/of-the-old-boot
    Reboot Guest    vm0    timeout=${PATIENCE}
    ${boot} =    Get Boot Of Guest    vm0
    Should Not Be Equal    ${boot}    ${FIRST_BOOT}
    Switch Connection    vm0
    ${rc} =    Execute Command    test -e /run/of-the-old-boot    return_rc=yes    return_stdout=no
    Should Be Equal As Integers    ${rc}    1

A Reset Guest Is Logged In Again Once It Is Waited For
    [Documentation]    The connection of the old boot is closed.
    ${before} =    Get Boot Of Guest    vm0
    Reset VM    vm0
    Wait Until Guest Is Ready    vm0    timeout=${PATIENCE}
    ${boot} =    Get Boot Of Guest    vm0
    Should Not Be Equal    ${boot}    ${before}
    Switch Connection    vm0
    ${name} =    Execute Command    hostname
    Should Be Equal    ${name}    vm0

A Rebooted VM Is The Same VM
    [Documentation]    The process has not changed, and it stops as gently as ever.
    ${vm} =    Get VM    vm0
    Should Be Equal    ${vm.pid}    ${FIRST_PID}
    ${stage} =    Stop VM    vm0
    Should Be Equal    ${stage.value}    guest agent shutdown


*** Keywords ***
Start VM In Suite
    [Documentation]    One VM serves all tests.
    Create VM    vm0
    Start VM    vm0
    ${boot} =    Get Boot Of Guest    vm0
    VAR    ${FIRST_BOOT}    ${boot}    scope=SUITE
    ${vm} =    Get VM    vm0
    VAR    ${FIRST_PID}    ${vm.pid}    scope=SUITE
