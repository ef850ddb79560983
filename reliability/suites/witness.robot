*** Settings ***
Documentation       Another run on the same host, whose VM has the same name: it lives beside those
...                 that are killed, and is asked for life after each.

Library             DtsVirtLibrary
Library             SSHLibrary
Library             reliability.witness.Questions


*** Variables ***
${IMAGE}        ${EMPTY}


*** Test Cases ***
Live On
    [Documentation]    Until the standard input ends.
    ${namespace} =    Create Network Namespace
    Create Veth Pair    namespace=${namespace}
    Create VM    vm0    guest=default    disk=file=${IMAGE},overlay=yes
    Start VM    vm0    warm=True    timeout=5 min
    Add VM Net    vm0    type=tap    opt_model=virtio
    Start Application    shell    /bin/sh    prompt=REGEXP:[#$] $
    Answer Questions    vm0    shell
