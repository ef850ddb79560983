*** Settings ***
Documentation       A suite without SSHLibrary gets it by the first start that logs in, and can
...                 refuse it by its login.

Resource            ../resources/common.resource

Suite Teardown      Stop All VMs

Test Tags           ssh


*** Test Cases ***
The Library Is Imported By The Start
    [Documentation]    Its keywords are there afterwards.
    Create VM    vm0
    Start VM    vm0
    ${name} =    Run Keyword    Execute Command    hostname
    Should Be Equal    ${name}    vm0

A Wrong Password Is A Clear Failure
    [Documentation]    The VM is ended, and the password is in no message.
    Create VM    vm0    login=user=root,password=not-this-one
    ${error} =    Run Keyword And Expect Error
    ...    VM 'vm0': SSH login of 'root' on 127.0.0.1:* was refused.*
    ...    Start VM    vm0
    Should Not Contain    ${error}    not-this-one
    Should Contain    ${error}    Artifacts:
    ${status} =    Get VM Status    vm0
    Should Be Equal    ${status}    stopped
