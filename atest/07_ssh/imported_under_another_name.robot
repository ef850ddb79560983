*** Settings ***
Documentation       The suite's own SSHLibrary is used, whatever it is called.

Resource            ../resources/common.resource
Library             SSHLibrary    AS    Guest

Suite Teardown      Stop All VMs

Test Timeout        5 min

Test Tags           ssh


*** Test Cases ***
The Library Of Another Name Is Logged In
    [Documentation]    No second SSHLibrary is imported.
    Create VM    vm0
    Start VM    vm0
    ${name} =    Guest.Execute Command    hostname
    Should Be Equal    ${name}    vm0
    Run Keyword And Expect Error    No keyword*    SSHLibrary.Execute Command    hostname
