*** Settings ***
Documentation       Starts a VM whose guest never answers, with a long deadline.

Resource            ../resources/common.resource

Suite Setup         Create VM With A Guest That Never Answers    deaf


*** Test Cases ***
Hang
    [Documentation]    Somebody else ends this.
    Start VM    deaf    timeout=10 min
