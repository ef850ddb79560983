*** Settings ***
Documentation       A VM beside that of the other suite, which has its name.

Resource            ../../resources/common.resource


*** Test Cases ***
One
    [Documentation]    It has artifacts.
    Create VM    vm0    mem=size=64
    Start VM    vm0    wait_for=process    warm=${False}
    [Teardown]    Kill VM    vm0
