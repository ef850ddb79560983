*** Settings ***
Documentation       Robot Framework's own timeout strikes while a keyword waits for something.

Resource            ../resources/guest.resource
Library             SSHLibrary

Suite Setup         Start A Guest


*** Test Cases ***
In An Agent Call
    [Documentation]    The command is ended in the guest.
    [Timeout]    8 s
    Execute In Guest    vm0    sleep 600    timeout=10 min

In A Session
    [Documentation]    The wait is SSHLibrary's.
    [Timeout]    8 s
    Execute Command    sleep 600

In A Command Of The Monitor
    [Documentation]    QEMU is frozen.
    [Timeout]    8 s
    Freeze QEMU    SIGSTOP
    Run QMP Command    vm0    query-status    timeout=10 min
    [Teardown]    Freeze QEMU    SIGCONT

In A Wait For An Event
    [Documentation]    Which does not come.
    [Timeout]    8 s
    Wait Until VM Event    vm0    RTC_CHANGE    WAKEUP    timeout=10 min

All Goes On
    [Documentation]    What was interrupted left nothing behind that would be in the way.
    Guest Should Answer    vm0
    VM Should Be Running    vm0
    ${sleeping} =    Ask Guest    vm0    pgrep -f '^sleep 600' | wc -l
    # That of the session lives as long as the session does.
    Should Be True    ${sleeping} <= 1

In A Stop
    [Documentation]    Of a guest that hears neither its agent nor the power button.
    [Timeout]    20 s
    Execute Command    kill -STOP $(pidof qemu-ga) $(pidof acpid)
    Stop VM    vm0    timeout=10 min


*** Keywords ***
Start A Guest
    [Documentation]    With SSH.
    Create VM    vm0
    Start VM    vm0    timeout=${PATIENCE}

Freeze QEMU
    [Documentation]    Or let it go on.
    [Arguments]    ${signal}
    ${vm} =    Get VM    vm0
    Evaluate    os.kill(${vm.pid}, signal.${signal})    modules=os, signal
