*** Settings ***
Documentation       Logs in with a password that nobody may read in any file.

Resource            ../resources/common.resource


*** Test Cases ***
Log In
    [Documentation]    The password is wrong, so the failure is told too.
    VAR    ${password: Secret}    %{DTSVIRT_ATEST_PASSWORD}
    Create VM    vm0    login=${{ {'user': 'root', 'password': $password} }}
    Start VM    vm0
