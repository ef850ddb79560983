*** Settings ***
Documentation       Uses a guest while somebody else ends its QEMU.

Resource            ../resources/common.resource

Suite Setup         Boot


*** Test Cases ***
Be Killed
    [Documentation]    The guest says on its console when the command runs.
    Execute In Guest    vm0    echo in the middle >/dev/ttyS0; sleep 60

Look After It
    [Documentation]    The next keyword is told too.
    ${status} =    Get VM Status    vm0
    Should Be Equal    ${status}    crashed
    Run Keyword And Expect Error
    ...    VM 'vm0': its process ended, as 'VM Should Be Running' found.*SIGKILL (9)*
    ...    VM Should Be Running    vm0
    ${stage} =    Stop VM    vm0
    Should Be Equal    ${stage.value}    already stopped


*** Keywords ***
Boot
    [Documentation]    As far as the agent.
    Create VM    vm0
    Start VM    vm0    wait_for=agent
