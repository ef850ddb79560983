*** Settings ***
Documentation       One start that succeeds and one that does not, for a look at the report.

Resource            ../resources/common.resource


*** Test Cases ***
Succeed
    [Documentation]    The guest answers.
    Create VM    good
    Start VM    good    wait_for=agent

Fail
    [Documentation]    The guest never answers.
    Create VM With A Guest That Never Answers    bad
    Start VM    bad    timeout=5 s
