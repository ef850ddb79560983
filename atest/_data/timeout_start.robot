*** Settings ***
Documentation       Robot Framework's timeout comes before the guest.

Resource            ../resources/common.resource

Suite Setup         Create VM With A Guest That Never Answers    deaf


*** Test Cases ***
Time Out
    [Documentation]    The start is interrupted.
    [Timeout]    5 s
    Start VM    deaf    timeout=10 min

Look After It
    [Documentation]    The VM has ended, and its name and artifacts are there.
    ${vm} =    Get VM    deaf
    Should Be Equal    ${vm.status}    stopped
    OperatingSystem.File Should Exist    ${vm.artifacts}/serial.log
    OperatingSystem.File Should Exist    ${vm.artifacts}/command-line.txt
