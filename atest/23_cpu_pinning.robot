*** Settings ***
Documentation       vCPU threads on the host CPUs that were asked for, read back from /proc. Needs
...                 a host with the CPUs 0 and 1.

Resource            resources/common.resource

Test Teardown       Stop All VMs    timeout=0 s

Test Tags           cpu


*** Variables ***
# No guest is waited for: QEMU's threads alone are looked at.
${WARM}      ${FALSE}    # robocop: off=VAR02


*** Test Cases ***
Each VCPU Has A Host CPU Of Its Own
    [Documentation]    In the order of the list. Other threads of QEMU may run where they like.
    Allowed CPUs Should Be    number=2,cpupin=1 0    1    0
    ${vm} =    Get VM    vm0
    ${qemu} =    Get Allowed CPUs Of Thread    ${vm.pid}    ${vm.pid}
    Should Not Be Equal    ${qemu}    1

A List With A Range Is The Same
    [Documentation]    As in the kernel's own lists.
    Allowed CPUs Should Be    number=2,cpupin=0-1    0    1

VCPUs Beyond A Shorter List May Run On All Of It
    [Documentation]    The first ones have their own CPU; the log tells it.
    Allowed CPUs Should Be    number=3,cpupin=0 1    0    1    0-1

The Rest Of A Longer List Is Not Used
    [Documentation]    One vCPU has the first CPU of the list.
    Allowed CPUs Should Be    number=1,cpupin=1 0    1

Without A List Nothing Is Pinned
    [Documentation]    The vCPU may run wherever QEMU may.
    Create VM    vm0    cpu=number=1
    Start VM    vm0    wait_for=process
    ${vm} =    Get VM    vm0
    ${qemu} =    Get Allowed CPUs Of Thread    ${vm.pid}    ${vm.pid}
    @{vcpus} =    Get Allowed CPUs Of Each VCPU
    Should Be Equal    ${vcpus}    ${{ [$qemu] }}

A CPU That The Host Has Not Is Refused Before The Start
    [Documentation]    The online ones are named.
    Create VM    vm0    cpu=number=2,cpupin=0 1023
    Run Keyword And Expect Error
    ...    VM 'vm0'*is to be pinned to CPU 1023, which * does not have; online are 0-*
    ...    Start VM    vm0    wait_for=process
    ${vm} =    Get VM    vm0
    Should Be Equal    ${vm.pid}    ${None}


*** Keywords ***
Allowed CPUs Should Be
    [Documentation]    Starts a VM and compares the list of each of its vCPU threads.
    [Arguments]    ${cpu}    @{expected}
    Create VM    vm0    cpu=${cpu}
    Start VM    vm0    wait_for=process
    @{found} =    Get Allowed CPUs Of Each VCPU
    Lists Should Be Equal    ${found}    ${expected}

Get Allowed CPUs Of Each VCPU
    [Documentation]    Returns the kernel's lists in the order of the vCPUs.
    ${vm} =    Get VM    vm0
    @{vcpus} =    Run QMP Command    vm0    query-cpus-fast
    VAR    @{lists}    @{EMPTY}
    FOR    ${vcpu}    IN    @{vcpus}
        ${allowed} =    Get Allowed CPUs Of Thread    ${vm.pid}    ${vcpu}[thread-id]
        Append To List    ${lists}    ${allowed}
    END
    RETURN    ${lists}

Get Allowed CPUs Of Thread
    [Documentation]    Returns what the kernel says of a thread: ``0-1``, for example.
    [Arguments]    ${process}    ${thread}
    ${status} =    Get File    /proc/${process}/task/${thread}/status
    ${found} =    Should Match Regexp    ${status}    Cpus_allowed_list:\\s+(\\S+)
    RETURN    ${found}[1]
