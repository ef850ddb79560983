*** Settings ***
Documentation       Leaves a clone of a template running. The outer suite names its disk's image.

Library             DtsVirtLibrary    closing=KEEP    warm=True


*** Variables ***
${IMAGE}    none


*** Test Cases ***
Keep A Clone
    [Documentation]    Its template goes, which does not concern it.
    Create VM    kept    disk=file=${IMAGE}    guest=default
    ${session} =    Start VM    kept    wait_for=agent
    Should Be Equal    ${session.stages[2].name}    state restored
    Remove VM Template    kept
    Execute In Guest    kept    echo written >/dev/vda; sync    expected_rc=${0}
    ${vm} =    Get VM    kept
    Log To Console    \n@@kept: ${vm.pid} ${session.port}
