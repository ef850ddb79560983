*** Settings ***
Documentation       What the kill matrix runs and kills. Each test comes by some of the points; with
...                 nobody to kill it, it passes.

Library             DtsVirtLibrary
Library             SSHLibrary
Library             reliability.stage.Stage


*** Variables ***
${IMAGE}        ${EMPTY}
${PAGES}        74M


*** Test Cases ***
Cold
    [Documentation]    A VM with an overlay and a tap boots as far as its agent.
    Create VM    vm0    guest=default    disk=file=${IMAGE},overlay=yes    warm=enable=no
    Add VM Net    vm0    type=tap    opt_model=virtio
    Start VM    vm0    wait_for=agent    timeout=5 min

Warm
    [Documentation]    A clone gets another card and runs a command.
    Clone
    Add VM Net    vm0    type=tap    opt_model=virtio
    Execute In Guest    vm0    echo; sleep 1000    timeout=10 min

Warm Stop
    [Documentation]    A clone is shut down.
    Clone
    Stop VM    vm0

Application
    [Documentation]    It is started last, when all else is there.
    Take Everything

Template
    [Documentation]    There is no template yet, so one is made.
    Clone

Waiting
    [Documentation]    A keyword waits for the guest.
    Clone
    Execute In Guest    vm0    echo; sleep 1000    timeout=10 min

Stuck
    [Documentation]    Both the test and its teardown take their time.
    Clone
    Create Tap
    Tell    ready
    Sleep    10 min    until somebody ends this
    [Teardown]    Take Time

Stuck With Everything
    [Documentation]    Nothing is given back before somebody ends this.
    Take Everything
    Tell    ready
    Sleep    10 min


*** Keywords ***
Take Everything
    [Documentation]    All that a run can take from the host, as far as a machine without special
    ...    hardware has it. The number of hugepages is one that nobody else asks for.
    Reserve Host Hugepages    ${PAGES}
    ${namespace} =    Create Network Namespace
    Create Veth Pair    namespace=${namespace}
    Create Tap
    Create VM    vm0    mem=size=64,hugepage=yes    disk=file=${IMAGE},overlay=yes
    Start VM    vm0    wait_for=process    warm=False
    Start Application    shell    /bin/sh    prompt=REGEXP:[#$] $

Clone
    [Documentation]    Of the template, which is made where it is missing.
    Create VM    vm0    guest=default    disk=file=${IMAGE},overlay=yes
    Start VM    vm0    warm=True    timeout=5 min

Take Time
    [Documentation]    Somebody ends this too.
    Tell    teardown
    Sleep    10 min
