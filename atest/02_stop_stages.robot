*** Settings ***
Documentation       Each stage by which a VM can be stopped, on a VM that ends by no gentler one.
...                 Gentlest of all is the guest agent, which every other suite uses.

Resource            resources/common.resource
Library             Process
Library             SSHLibrary

Suite Teardown      Stop All VMs    timeout=0 s

Test Timeout        5 min

Test Tags           lifecycle    stop


*** Test Cases ***
The Power Button Stops A Guest Whose Agent Is Silent
    [Documentation]    The agent is there but does not answer, so it is not waited for long.
    Create VM    vm0
    Start VM    vm0
    Execute Command    kill -STOP $(pidof qemu-ga)
    ${stage} =    Stop VM    vm0
    Should Be Equal    ${stage.value}    ACPI power button

The Power Button Stops A VM Without An Agent
    [Documentation]    SSH works without the agent too.
    Create VM    vm0    qga=enable=no
    ${session} =    Start VM    vm0
    Should Be Empty    ${session.interfaces}
    ${name} =    Execute Command    hostname
    Should Be Equal    ${name}    vm0
    ${stage} =    Stop VM    vm0
    Should Be Equal    ${stage.value}    ACPI power button

QMP Stops A Guest That Ignores Agent And Button
    [Documentation]    Each stage has its own deadline; what did not work is told.
    [Tags]    fault-55
    Create VM    vm0
    Start VM    vm0
    Execute Command    kill -STOP $(pidof qemu-ga) $(pidof acpid)
    ${stage} =    Stop VM    vm0    timeout=0.5 s
    Should Be Equal    ${stage.value}    QMP quit

QMP Stops A Paused VM At Once
    [Documentation]    Its guest cannot hear anything.
    Create VM    vm0
    Start VM    vm0    wait_for=process
    Pause VM    vm0
    ${stage} =    Stop VM    vm0
    Should Be Equal    ${stage.value}    QMP quit

A Signal Stops A QEMU That Does Not Answer
    [Documentation]    One that is stopped itself hears only SIGKILL.
    [Tags]    fault-50
    Create VM    vm0
    Start VM    vm0    wait_for=process
    ${vm} =    Get VM    vm0
    Run Process    kill    -STOP    ${vm.pid}
    ${stage} =    Stop VM    vm0    timeout=0.5 s
    Should Be Equal    ${stage.value}    SIGKILL
    Process Should Be Gone    ${vm.pid}
