*** Settings ***
Documentation       What is said when the run may not make network interfaces. Run it without the
...                 capability CAP_NET_ADMIN.

Library             DtsVirtLibrary


*** Test Cases ***
A Tap Cannot Be Made
    [Documentation]    Nothing was started; the VM can be.
    Create VM    vm0
    Add VM Net    vm0    type=tap    opt_br=br-no-right    opt_model=virtio
    Run Keyword And Expect Error
    ...    *The capability CAP_NET_ADMIN is missing*run as root, or let an administrator make it*
    ...    Start VM    vm0    wait_for=process
    ${status} =    Get VM Status    vm0
    Should Be Equal    ${status}    stopped
    Create VM    vm0
    Start VM    vm0    wait_for=process
    Stop VM    vm0    timeout=0 s

A Bridge Cannot Be Made
    [Documentation]    By its keyword neither.
    Run Keyword And Expect Error
    ...    Bridge 'br-no-right' on *CAP_NET_ADMIN is missing*
    ...    Create Bridge    br-no-right
