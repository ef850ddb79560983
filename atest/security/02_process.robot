*** Settings ***
Documentation     What the QEMU process itself may do, and what it has from the run: as little
...               as it needs.

Resource          ../resources/guest.resource
Library           Processes.py
Library           ../resources/Failures.py

Suite Setup       Start VM In Suite
Suite Teardown    Stop All VMs    timeout=0 s
Test Timeout      4 min

Test Tags         security


*** Variables ***
# No other part of QEMU's memory has this size, in MiB.
${MEMORY}    257


*** Test Cases ***
The Sandbox Is On
    [Documentation]    A filter of system calls, and no new rights by programs that have them.
    [Tags]    both-versions
    ${status} =    Get Process Status    ${PID}
    Should Be Equal    ${status}[Seccomp]    2
    Should Be Equal    ${status}[NoNewPrivs]    1

Its Files Are Its Owner's Alone
    [Documentation]    By the mask of new files, and in a directory that nobody else may enter.
    [Tags]    both-versions
    ${status} =    Get Process Status    ${PID}
    Should Be Equal    ${status}[Umask]    0077
    ${modes} =    Get Modes For Others    ${DIRECTORY}
    Should Be Equal    ${modes}    ${{ ['0o0'] }}

The Environment Is Small
    [Documentation]    What the run has besides is nothing to QEMU: the tokens of a CI, for example.
    ${names} =    Get Names In Environment    ${PID}
    Should Be Equal    ${names}    ${{ ['HOME', 'LANG', 'PATH'] }}

No Descriptor Of The Run Is Inherited
    [Documentation]    Its own are sockets, logs, devices, and what the kernel makes for it.
    [Tags]    both-versions
    ${foreign} =    Get Foreign Descriptors    ${PID}    ${DIRECTORY}
    Should Be Empty    ${foreign}

Guest Memory Is In No Core Dump
    [Documentation]    By the limit of the process, and by the memory's own mark where a program
    ...    takes the dumps, which limits do not stop.
    [Tags]    both-versions
    ${limits} =    OperatingSystem.Get File    /proc/${PID}/limits
    Should Match Regexp    ${limits}    Max core file size\\s+0\\s+0\\s
    ${flags} =    Get Flags Of Memory    ${PID}    ${MEMORY}
    Should Contain    ${flags}    dd

A Guest Can Be Kept From The Host
    [Documentation]    With opt_restrict the forward to SSH stays, and the guest reaches nothing.
    ...    Without, it reaches what listens on the host's loopback interface.
    [Tags]    both-versions
    ${port} =    Hold A Port
    VAR    ${connect}    timeout 5 bash -c '</dev/tcp/10.0.2.2/${port}'
    ${open} =    Execute In Guest    vm0    ${connect}
    Should Be Equal As Integers    ${open.rc}    0
    Create VM    vm1    net=type=nic;type=user,opt_restrict=yes
    Start VM    vm1
    ${closed} =    Execute In Guest    vm1    ${connect}
    Should Not Be Equal As Integers    ${closed.rc}    0
    [Teardown]    Stop VM    vm1    timeout=0 s

A Program That QEMU Starts Is Its End
    [Documentation]    The next keyword that needs the VM says why it ended. QEMU 10 lives on: the
    ...    system refuses it the program.
    [Tags]    fault-48
    Create VM With A Guest That Never Answers    vm2
    Start VM    vm2    wait_for=process    warm=${False}
    Should Fail Saying    VmDied
    ...    VM 'vm2': its process ended; *SIGSYS*QEMU's sandbox (seccomp) denies*
    ...    Run QMP Command    vm2    migrate    uri=exec:cat >/dev/null
    [Teardown]    Stop VM    vm2

An Option That Needs A Program Is Told
    [Documentation]    At the start.
    [Tags]    fault-48
    Create VM With A Guest That Never Answers    vm3
    Set VM Parameter    vm3    usercmd    cmd=-nic tap,script=/bin/true,downscript=no
    ${text} =    Should Fail Saying    StartError
    ...    VM 'vm3': QEMU ended while it started. *
    ...    Start VM    vm3    wait_for=process    warm=${False}
    Should Match Regexp    ${text}    SIGSYS.*sandbox.*that usercmd gave: -nic\\.
    Should Contain    ${text}    signal SIGSYS (31)


*** Keywords ***
Start VM In Suite
    [Documentation]    The guest has its control card on a user network as any other.
    Create VM    vm0    mem=size=${MEMORY}
    Start VM    vm0    wait_for=agent
    ${vm} =    Get VM    vm0
    VAR    ${PID}    ${vm.pid}    scope=SUITE
    ${directory} =    Get Directory Of VM    ${PID}
    VAR    ${DIRECTORY}    ${directory}    scope=SUITE
