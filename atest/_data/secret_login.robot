*** Settings ***
Documentation       Logs in with a password that nobody may read in any file.

Resource            ../resources/common.resource


*** Test Cases ***
Log In
    [Documentation]    The guest has no such user, so the failure is told too.
    VAR    ${password: Secret}    %{DTSVIRT_ATEST_PASSWORD}
    Create VM    vm0    login=${{ {'user': 'joe', 'password': $password} }}
    Start VM    vm0
