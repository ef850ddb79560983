*** Settings ***
Documentation       Many start/stop cycles in one process.

Library             DtsVirtLibrary
Library             SSHLibrary
Library             reliability.cycles.Cycles


*** Variables ***
${CYCLES}           20
${SEED}             1
${IMAGE}            ${EMPTY}
${BOOT_IMAGE}       ${EMPTY}


*** Test Cases ***
Soak
    [Documentation]    The samples lie beside the report.
    TRY
        Run Cycles    ${CYCLES}    ${SEED}    ${IMAGE}    ${BOOT_IMAGE}
    FINALLY
        Write Samples    ${OUTPUT_DIR}/samples.json
    END
