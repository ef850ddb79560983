*** Settings ***
Documentation       A VM from its start to its end, and to its next start.

Resource            resources/common.resource
Library             SSHLibrary

Suite Setup         Start VM In Suite
Suite Teardown      Stop All VMs

Test Timeout        5 min

Test Tags           lifecycle


*** Test Cases ***
Start VM Returns A Session That Is Logged In
    [Documentation]    The session tells where the guest is; SSHLibrary is in it already.
    Should Be Equal    ${SESSION.name}    vm0
    Should Be Equal    ${SESSION.host}    127.0.0.1
    Should Be Equal    ${SESSION.username}    root
    Should Be Equal    ${SESSION.ip}    10.0.2.15
    Should Be Equal    ${SESSION.interfaces['host_connect'].ipv4}    10.0.2.15
    Should Contain    ${{ ['kvm', 'tcg'] }}    ${SESSION.accelerator}
    ${name} =    Execute Command    hostname
    Should Be Equal    ${name}    vm0

The Stages Of The Start Are Told In Order
    [Documentation]    They count from the launch, and the whole start is in them. The SSH server of
    ...    a clone has shown its banner before its template was saved.
    ${names} =    Evaluate    [stage.name for stage in $SESSION.stages]
    VAR    @{restored} =    @{{ ['state restored'] if ${WARM} else [] }}
    VAR    @{banner} =    @{{ [] if ${WARM} else ['SSH banner read'] }}
    VAR    @{expected}
    ...    process started
    ...    QMP answered
    ...    @{restored}
    ...    CPUs started
    ...    agent port opened
    ...    agent answered
    ...    address assigned
    ...    @{banner}
    ...    SSH login done
    Lists Should Be Equal    ${names}    ${expected}
    ${times} =    Evaluate    [stage.at for stage in $SESSION.stages]
    ${sorted} =    Evaluate    sorted($times)
    Lists Should Be Equal    ${times}    ${sorted}

A Running VM Says So
    [Documentation]    By its status, by what is known of it and by the assertion.
    ${status} =    Get VM Status    vm0
    Should Be Equal    ${status}    running
    VM Should Be Running    vm0
    ${vm} =    Get VM    vm0
    Should Be Equal    ${vm.status}    running
    Should Be Equal    ${vm.session}    ${SESSION}
    OperatingSystem.File Should Exist    /proc/${vm.pid}/cmdline
    OperatingSystem.Directory Should Exist    ${vm.artifacts}

A Running VM Is Not Started Again
    [Documentation]    The one that runs is left alone.
    Run Keyword And Expect Error
    ...    VM 'vm0' is already running. Stop it before starting it again.
    ...    Start VM    vm0
    VM Should Be Running    vm0

The Name Of A Running VM Is Taken
    [Documentation]    And it says what to do.
    Run Keyword And Expect Error
    ...    There is a VM 'vm0' already; it is running. Stop it first*
    ...    Create VM    vm0

The Guest Shuts Down When It Is Stopped
    [Documentation]    The stage that worked is returned; process and connection are gone.
    ${before} =    Get VM    vm0
    ${stage} =    Stop VM    vm0
    Should Be Equal    ${stage.value}    guest agent shutdown
    ${status} =    Get VM Status    vm0
    Should Be Equal    ${status}    stopped
    Process Should Be Gone    ${before.pid}
    Port Should Be Free    ${SESSION.port}
    Run Keyword And Expect Error    *    Execute Command    true

Stopping A Stopped VM Is Quiet
    [Documentation]    So that a teardown needs no condition.
    [Tags]    fault-56
    ${stage} =    Stop VM    vm0
    Should Be Equal    ${stage.value}    already stopped
    Kill VM    vm0

A Stopped VM Is Not Used
    [Documentation]    The message says what the VM is and what to do.
    Run Keyword And Expect Error
    ...    VM 'vm0' is stopped; 'Ping Guest Agent' needs it running. Start it*
    ...    Ping Guest Agent    vm0

The Same VM Starts Again And Waits For The Agent Alone
    [Documentation]    No SSH login is made then, but the port for one is known. A guest that
    ...    powers off by itself has come to an orderly end.
    ${session} =    Start VM    vm0    wait_for=agent
    Should Be Equal    ${session.stages[-1].name}    agent answered
    Should Be Equal    ${session.username}    ${None}
    Should Be True    ${session.port}
    Guest Should Answer    vm0
    Guest Should Power Off By Itself    vm0

The Process Alone Is Not Waited For Long
    [Documentation]    The guest has not even begun to boot.
    ${session} =    Start VM    vm0    wait_for=process
    Should Be Equal    ${session.stages[-1].name}    CPUs started
    Should Be Empty    ${session.interfaces}
    Kill VM    vm0
    ${status} =    Get VM Status    vm0
    Should Be Equal    ${status}    stopped

Every Start Has Artifacts Of Its Own
    [Documentation]    The three starts of this suite.
    ${starts} =    OperatingSystem.List Directory    ${OUTPUT_DIR}/vms/vm0    start-*
    ${vm} =    Get VM    vm0
    Should Contain    ${starts}    start-1
    Should Not End With    ${vm.artifacts}    start-1
    FOR    ${file}    IN    command-line.sh    stderr.log    serial.log    qmp.jsonl    stages.txt
        OperatingSystem.File Should Exist    ${vm.artifacts}/${file}
    END

A Name Is Free Once Its VM Has Ended
    [Documentation]    So that every test can create its own vm0.
    Create VM    vm0    cpu=number=2
    ${status} =    Get VM Status    vm0
    Should Be Equal    ${status}    created

All VMs Are Stopped Side By Side
    [Documentation]    Those that do not run stay out of it.
    Create VM    vm0
    Create VM    vm1
    Start VM    vm0    wait_for=process
    Start VM    vm1    wait_for=process
    Create VM    vm2
    Stop All VMs    timeout=0 s
    FOR    ${name}    ${expected}    IN    vm0    stopped    vm1    stopped    vm2    created
        ${status} =    Get VM Status    ${name}
        Should Be Equal    ${status}    ${expected}
    END


*** Keywords ***
Start VM In Suite
    [Documentation]    Several tests use the VM, so it belongs to the suite.
    Create VM    vm0
    ${session} =    Start VM    vm0
    VAR    ${SESSION}    ${session}    scope=SUITE

Guest Should Power Off By Itself
    [Documentation]    A keyword that needs the VM then says who ended it.
    [Arguments]    ${name}
    Execute In Guest    ${name}    (sleep 0.2; poweroff) >/dev/null 2>&1 &
    Wait Until VM Stops    ${name}    timeout=${PATIENCE}
    ${status} =    Get VM Status    ${name}
    Should Be Equal    ${status}    stopped
    Run Keyword And Expect Error
    ...    VM '${name}': the guest shut itself down (guest-shutdown); 'Ping Guest Agent' needs it running.*
    ...    Ping Guest Agent    ${name}
