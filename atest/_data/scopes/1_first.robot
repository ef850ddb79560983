*** Settings ***
Documentation       Starts a VM in its setup and one in a test, and says later which of them live.

Resource            words.resource

Suite Setup         Run VM    ofsuite


*** Test Cases ***
Start One In A Test
    [Documentation]    And load a configuration in it.
    Run VM    oftest
    Load VM Config    ${CURDIR}/../configs/global.cfg

Tell What Lives After The Test
    [Documentation]    Both VMs were started before this test.
    Tell What Lives    after the test
    Create VM    fresh
    ${arguments} =    Get VM Command Line    fresh
    Log To Console    \n@@memory after the test: ${arguments}[${{ $arguments.index('-m') + 1 }}]
