*** Settings ***
Documentation       Measures the library on real VMs; run it by ``make bench``.

Library             DtsVirtLibrary
Library             SSHLibrary
Library             Measures.py


*** Variables ***
${ROUNDS}       5


*** Test Cases ***
Library And Floor By Turns
    [Documentation]    The samples are written for the table.
    Measure Rounds    ${ROUNDS}
    Write Samples    ${OUTPUT_DIR}/samples.json
