*** Settings ***
Documentation       Starts a VM on an accelerator that the outer suite chooses.

Library             DtsVirtLibrary    accelerator=${ACCELERATOR}    stop_timeout=0 s


*** Variables ***
${ACCELERATOR}      auto
${QEMU}             ${EMPTY}


*** Test Cases ***
Start
    [Documentation]    As far as the process.
    Create VM    vm0    qemu=path=${QEMU}
    ${session} =    Start VM    vm0    wait_for=process
    Should Be Equal    ${session.accelerator}    tcg
