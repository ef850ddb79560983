*** Settings ***
Documentation       Robot Framework's report is whole and shows text as text, whatever a guest prints
...                 through its agent, its serial console or a console application.

Resource            ../resources/common.resource

Suite Setup         Run The Wild Guest

Test Tags           faults


*** Test Cases ***
The Report Is Whole
    [Documentation]    All four tests of the run are in it, and failed by what they were to show.
    [Tags]    fault-64
    Wild Words Should Be Told    By The Agent    returned rc 1, expected 0.
    Wild Words Should Be Told    By An Application On The Host    wild
    Wild Words Should Be Told    By An Application In The Guest    wild
    Wild Words Should Be Told    By The Serial Console    its process ended
    Nothing Should Be Left Of    ${RUN}

No Message Is Taken For HTML
    [Documentation]    Neither in the report, nor by a browser that shows the log.
    ${report} =    OperatingSystem.Get File    ${RUN.output}/output.xml
    Should Contain    ${report}    &lt;b id=wild&gt;
    Should Not Match Regexp    ${report}    html="true"[^>]*>[^<]*b id=wild


*** Keywords ***
Run The Wild Guest
    [Documentation]    Its report is parsed at its end.
    ${run} =    Run Inner Suite    wild_guest.robot
    VAR    ${RUN}    ${run}    scope=SUITE

Wild Words Should Be Told
    [Documentation]    As text that can be printed, behind words of the library's own.
    [Arguments]    ${test}    ${words}
    ${message} =    Inner Test Should Have Failed    ${RUN}    ${test}    ${words}    id=wild
    Should Not Start With    ${message}    *HTML*
    Should Be True    all(c.isprintable() or c == chr(10) for c in $message)
