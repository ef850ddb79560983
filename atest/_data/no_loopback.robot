*** Settings ***
Documentation       What is said when this machine cannot reach itself. Run it in a network namespace
...                 of its own, whose loopback interface is down.

Library             DtsVirtLibrary    warm=${FALSE}
Library             ../resources/Failures.py
Library             ../resources/InnerRuns.py

Test Teardown       Nothing Should Be Left Of This Run


*** Test Cases ***
A Guest That Cannot Be Reached
    [Documentation]    It is not waited for, as it would answer nobody.
    Create VM    vm0    guest=flavour=default
    ${error} =    Should Fail With    HostError    Start VM    vm0    timeout=10 min
    Should Match    ${error.summary}    VM 'vm0': this machine has no way to 127.0.0.1,*ip link set lo up*
    Should Be True    $error.evidence.waited < 60
