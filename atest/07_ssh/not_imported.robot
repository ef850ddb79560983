*** Settings ***
Documentation       A suite without SSHLibrary gets it by the first start that logs in, and can
...                 refuse it by its login.

Resource            ../resources/common.resource

Suite Teardown      Stop All VMs

Test Timeout        5 min

Test Tags           ssh


*** Test Cases ***
The Library Is Imported By The Start
    [Documentation]    Its keywords are there afterwards.
    Create VM    vm0
    Start VM    vm0
    ${name} =    Run Keyword    Execute Command    hostname
    Should Be Equal    ${name}    vm0

A Wrong Password Is A Clear Failure
    [Documentation]    The VM is ended. A secret password is in no file, whatever the log level.
    [Tags]    fault-66
    Set Environment Variable    DTSVIRT_ATEST_PASSWORD    not-this-one
    ${run} =    Run Inner Suite    secret_login.robot    --loglevel    TRACE
    Inner Test Should Have Failed
    ...    ${run}
    ...    Log In
    ...    VM 'vm0': SSH login of 'joe' on 127.0.0.1:
    ...    was refused. Set the right user and password
    ...    Artifacts:
    Nothing Should Be Left Of    ${run}
    No File Should Contain    ${run.output}    not-this-one
