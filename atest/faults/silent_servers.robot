*** Settings ***
Documentation       The guest agent and the SSH server of a guest that lives: silent, gone, refusing,
...                 or saying something else. The message names how far it came.

Resource            ../resources/guest.resource
Library             ../resources/Failures.py
Library             SSHLibrary

Suite Setup         Start A Guest
Suite Teardown      Stop All VMs    timeout=0 s

Test Timeout        5 min

Test Tags           faults


*** Test Cases ***
An Agent That Hangs Is Waited For No Longer Than Said
    [Documentation]    When it goes on, its late answers are not taken for those to the next question.
    [Tags]    fault-62    fault-63
    Execute Command    kill -STOP $(pidof qemu-ga)
    Should Fail Saying    AgentTimeout
    ...    VM 'vm0': the guest agent did not answer guest-ping within *It last answered*the outcome is unknown.*
    ...    Ping Guest Agent    vm0    timeout=1 s
    Should Fail Saying    AgentTimeout
    ...    VM 'vm0': the guest agent did not answer * within *
    ...    Execute In Guest    vm0    true    timeout=1 s
    Execute Command    kill -CONT $(pidof qemu-ga)
    Guest Should Answer    vm0

An Agent That Holds Its Port And Is Silent
    [Documentation]    Another program has it: the port is open, and nothing comes.
    [Tags]    fault-61
    Replace Service    agent
    ...    exec 3<>$(echo /dev/vport*p1); cp /run/services/agent /etc/init.d/agent; exec sleep 10
    Execute Command    kill $(pidof qemu-ga)
    Execute Command    until ls -l /proc/[0-9]*/fd/3 2>/dev/null | grep -q vport; do usleep 20000; done
    Should Fail Saying    AgentTimeout
    ...    VM 'vm0': the guest agent did not answer guest-sync-delimited within *
    ...    Wait Until Guest Is Ready    vm0    timeout=2 s
    Wait Until Guest Is Ready    vm0
    Guest Should Answer    vm0

An Agent That The VM Has Not
    [Documentation]    Told at once, with the option that brings it.
    [Tags]    fault-61
    Create VM    none    qga=enable=no    mem=size=64
    Start VM    none    wait_for=process    warm=False
    Should Fail Saying    AgentError
    ...    VM 'none' has no guest agent channel; create it with qga=enable=yes (the default).
    ...    Ping Guest Agent    none
    Kill VM    none

An SSH Server That Is Gone
    [Documentation]    The port is QEMU's, so that a connection is accepted first.
    [Tags]    fault-66
    Execute Command    printf '\#!/bin/sh\nexec sleep 3600\n' > /etc/init.d/ssh
    Execute In Guest    vm0    kill $(pidof sshd)
    Should Fail Saying    SshTimeout
    ...    VM 'vm0': no SSH banner on 127.0.0.1:* within *The last try was *
    ...    Wait Until Guest Is Ready    vm0    timeout=2 s

An SSH Server Without A Banner
    [Documentation]    The connection stays, and nothing comes.
    [Tags]    fault-66
    Serve Instead Of SSH    sleep 3600
    Should Fail Saying    SshTimeout
    ...    VM 'vm0': no SSH banner on 127.0.0.1:* within *but the guest did not answer*
    ...    Wait Until Guest Is Ready    vm0    timeout=2 s

An SSH Server That Speaks Another Language
    [Documentation]    Its first words are in the message, without what could harm a terminal.
    [Tags]    fault-66
    Serve Instead Of SSH    printf '220 \\033[31mmail\\n'; sleep 3600
    Should Fail Saying    SshTimeout
    ...    VM 'vm0': no SSH banner on 127.0.0.1:* within *read '220 mail' instead of an SSH banner*
    ...    Wait Until Guest Is Ready    vm0    timeout=2 s

An SSH Server That Refuses The Login
    [Documentation]    The banner is there, so the phase is another.
    [Tags]    fault-66
    Execute In Guest    vm0    cp /run/services/ssh /etc/init.d/ssh; kill $(pidof sleep) $(pidof nc)
    Wait Until In Guest    vm0    pidof sshd >/dev/null && [ -e /root/.ssh/authorized_keys ]
    Execute In Guest    vm0    mv /root/.ssh/authorized_keys /run/keys
    Should Fail Saying    SshAuthError
    ...    VM 'vm0': SSH login of 'root' on 127.0.0.1:* was refused.*
    ...    Wait Until Guest Is Ready    vm0
    Execute In Guest    vm0    mv /run/keys /root/.ssh/authorized_keys

A Shell That Prints Junk
    [Documentation]    Is logged in to all the same.
    [Tags]    fault-66
    Execute In Guest    vm0    printf 'printf "\\033[2J\\000junk\\377\\n"\n' >> /root/.profile
    Wait Until Guest Is Ready    vm0
    ${name} =    Execute Command    hostname
    Should Be Equal    ${name}    vm0

A Kernel That Panics Under A Session
    [Documentation]    The session is cut off instead of hanging, and the next keyword says why.
    [Tags]    fault-59
    Start Command    echo c > /proc/sysrq-trigger; sleep 600
    ${rc} =    Read Command Output    return_stdout=False    return_rc=True
    Should Be Equal As Integers    ${rc}    -1
    Should Fail Saying    GuestPanic    VM 'vm0': the guest's kernel panicked (sysrq triggered crash); *
    ...    Ping Guest Agent    vm0
    Should Fail Saying    GuestPanic    *'VM Should Not Have Crashed'*    VM Should Not Have Crashed    vm0
    ${event} =    Wait Until VM Event    vm0    GUEST_PANICKED    timeout=1 s
    Should Be Equal    ${event.data}[action]    pause


*** Keywords ***
Start A Guest
    [Documentation]    With SSH, which is the way to an agent that does not answer, and the other way
    ...    round.
    Create VM    vm0
    Start VM    vm0    timeout=${PATIENCE}
    Wait Until In Guest    vm0    test -d /sys/bus/pci/drivers/pvpanic-pci
    Execute Command    cp -r /etc/init.d /run/services

Replace Service
    [Documentation]    Gives the script that the guest's init starts again and again other words.
    [Arguments]    ${name}    ${script}
    Create File    ${OUTPUT_DIR}/service    \#!/bin/sh\n${script}\n
    SSHLibrary.Put File    ${OUTPUT_DIR}/service    /etc/init.d/${name}    mode=0755

Serve Instead Of SSH
    [Documentation]    Answers on the port of the SSH server by a command of the shell.
    [Arguments]    ${command}
    Create File    ${OUTPUT_DIR}/server    \#!/bin/sh\n${command}\n
    Put File In Guest    vm0    ${OUTPUT_DIR}/server    /run/server
    Execute In Guest    vm0    kill $(pidof sleep) $(pidof nc); chmod +x /run/server
    Execute In Guest    vm0    nc -ll -p 22 -e /run/server >/dev/null 2>&1 </dev/null &
