*** Settings ***
Documentation       When a VM that nobody stopped is stopped by the library.

Resource            resources/common.resource

Test Timeout        3 min

Test Tags           scopes


*** Test Cases ***
By Default A VM Lives As Long As The Test Or Suite That Started It
    [Documentation]    A configuration that was loaded in the test is forgotten with it.
    ${run} =    Run Inner Suites About Closing    AUTO
    Should Contain    ${run.console}    @@oftest lives after the test: False
    Should Contain    ${run.console}    @@ofsuite lives after the test: True
    Should Contain    ${run.console}    @@ofsuite lives after the suite: False
    Should Contain    ${run.console}    @@memory after the test: 512M
    Nothing Should Be Left Of    ${run}

SUITE Lets A VM Of A Test Live Till The End Of The Suite
    [Documentation]    Other tests of the suite can use it.
    ${run} =    Run Inner Suites About Closing    SUITE
    Should Contain    ${run.console}    @@oftest lives after the test: True
    Should Contain    ${run.console}    @@oftest lives after the suite: False
    Should Contain    ${run.console}    @@ofsuite lives after the suite: False
    Nothing Should Be Left Of    ${run}

RUN Lets All VMs Live Till The End Of The Run
    [Documentation]    And not longer.
    ${run} =    Run Inner Suites About Closing    RUN
    Should Contain    ${run.console}    @@oftest lives after the suite: True
    Should Contain    ${run.console}    @@ofsuite lives after the suite: True
    Nothing Should Be Left Of    ${run}

KEEP Lets VMs Outlive The Run
    [Documentation]    Their processes are told on the console; their directories go with them.
    ${run} =    Run Inner Suites About Closing    KEEP
    Should Match Regexp    ${run.console}    VM 'oftest' was kept: process \\d+, SSH on 127.0.0.1:\\d+
    ${pids} =    Evaluate    re.findall(r'@@of\\w+: (\\d+)', $run.console)    modules=re
    Length Should Be    ${pids}    2
    FOR    ${pid}    IN    @{pids}
        OperatingSystem.File Should Exist    /proc/${pid}/exe
        Evaluate    os.kill(${pid}, 9)    modules=os
    END
    Nothing Should Be Left Of    ${run}


*** Keywords ***
Run Inner Suites About Closing
    [Documentation]    Returns the run; all its tests have passed.
    [Arguments]    ${closing}
    ${run} =    Run Inner Suite    scopes    --variable    CLOSING:${closing}
    Inner Test Should Have Passed    ${run}
    RETURN    ${run}
