*** Settings ***
Documentation       What is said when the run may not read an image or listen on a port. Run it
...                 without CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH and CAP_NET_BIND_SERVICE, in a
...                 network namespace of its own.

Library             DtsVirtLibrary    warm=${FALSE}
Library             ../resources/Failures.py
Library             ../resources/InnerRuns.py

Test Teardown       Nothing Should Be Left Of This Run


*** Variables ***
${IMAGE}    a file of somebody else    # given by who starts this


*** Test Cases ***
An Image That May Not Be Read
    [Documentation]    With the path and the user.
    Create VM    vm0    disk=file=${IMAGE},format=raw
    ${error} =    Should Fail With    ImageError    Start VM    vm0    wait_for=process
    Should Match    ${error.summary}
    ...    *disk image '${IMAGE}' cannot be used. Cannot read '${IMAGE}': Permission denied (as user *

A Port Below 1024
    [Documentation]    With the setting that says where those for all begin.
    Create VM    vm1    net=type=nic\ntype=user,opt_hostfwd=tcp:127.0.0.1:1023-:22
    ${error} =    Should Fail With    HostError    Start VM    vm1    wait_for=process
    Should Match    ${error.summary}
    ...    *opt_hostfwd=tcp:127.0.0.1:1023-:22 cannot be had: nobody has it*from 1024 on*ip_unprivileged*
