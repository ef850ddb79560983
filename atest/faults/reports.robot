*** Settings ***
Documentation       Whole runs whose failures are Robot Framework's own, or hold what a guest made up:
...                 the report can be read, the message is short, and nothing is left behind.

Resource            ../resources/common.resource

Test Timeout        8 min

Test Tags           faults


*** Variables ***
${STRUCK}       Test timeout 8 seconds exceeded.


*** Test Cases ***
Robot Framework's Timeout Strikes Anywhere
    [Documentation]    Its own words are the failure; the VM goes on, and ends with its suite.
    [Tags]    fault-68
    ${run} =    Run Inner Suite    test_timeouts.robot
    Inner Test Should Have Failed    ${run}    In An Agent Call    ${STRUCK}
    Inner Test Should Have Failed    ${run}    In A Session    ${STRUCK}
    Inner Test Should Have Failed    ${run}    In A Command Of The Monitor    ${STRUCK}
    Inner Test Should Have Failed    ${run}    In A Wait For An Event    ${STRUCK}
    Inner Test Should Have Passed    ${run}    All Goes On
    Inner Test Should Have Failed    ${run}    In A Stop    Test timeout 20 seconds exceeded.
    Nothing Should Be Left Of    ${run}

An Agent That Lies Harms No Report
    [Documentation]    The inner report was parsed to get here.
    [Tags]    fault-64
    ${run} =    Run Inner Suite    lying_agent.robot
    Lie Should Have Been Told    ${run}    Not A Number    it holds NaN, which is not JSON
    Lie Should Have Been Told    ${run}    Wrong Type    'name' is not of type str
    Lie Should Have Been Told    ${run}    Nested    nested
    Lie Should Have Been Told    ${run}    Control Characters    is not of type
    Lie Should Have Been Told    ${run}    Bytes    what the guest agent sent
    Inner Test Should Have Failed    ${run}    Refused    the guest agent refused    no
    Inner Test Should Have Passed    ${run}    The Truth
    Nothing Should Be Left Of    ${run}


*** Keywords ***
Lie Should Have Been Told
    [Documentation]    In a message that is short and can be printed.
    [Arguments]    ${run}    ${test}    ${words}
    ${message} =    Inner Test Should Have Failed    ${run}    ${test}
    ...    VM 'vm0': what the guest agent sent for guest-network-get-interfaces is not an answer:
    ...    ${words}
    Should Be True    len($message) < 700
    Should Be True    all(c.isprintable() or c == chr(10) for c in $message)
