*** Settings ***
Documentation       Starts that fail in QEMU's own hands: what the error carries, and that nothing
...                 is left.

Resource            ../resources/common.resource
Library             Process
Library             ../resources/Failures.py

Test Teardown       Nothing Should Be Left Of This Run

Test Tags           faults    both-versions


*** Variables ***
# Guests that never come up have no template.
${WARM}     ${FALSE}    # robocop: off=VAR02


*** Test Cases ***
An Option That QEMU Does Not Know
    [Documentation]    All that a start error carries is there, one line of it first.
    [Tags]    fault-1
    Create VM    vm0    usercmd=cmd="-nosuchoption 3"
    ${error} =    Should Fail With    StartError    Start VM    vm0
    Should Be Equal    ${error.summary}    VM 'vm0': QEMU ended while it started: -nosuchoption: invalid option
    Should Contain    ${{ str($error) }}    Process ended: exit code 1
    VAR    ${found}    ${error.evidence}
    VAR    @{place}    ${found.vm}    ${found.action}    ${found.stage}    ${found.exit_code}
    Should Be Equal    ${place}    ${{ ['vm0', 'Start VM', "after 'process started'", 1] }}
    Should Be True    0 < $found.waited < 60 and '-nosuchoption' in $found.argv
    Should Contain    ${found.stderr_tail}    -nosuchoption: invalid option
    OperatingSystem.Directory Should Exist    ${found.artifacts}

A Guest That Says Nothing At All
    [Documentation]    As where KVM seems to work and does not: what runs it is told, and that it
    ...    runs, and that its console stayed empty.
    [Tags]    fault-30
    Evaluate    pathlib.Path($OUTPUT_DIR, 'empty.raw').write_bytes(bytes(1 << 20))    modules=pathlib
    Create VM    vm0    disk=file=${OUTPUT_DIR}/empty.raw,format=raw    mem=size=64
    ${error} =    Should Fail With    AgentTimeout    Start VM    vm0    timeout=3 s
    Should Match    ${{ str($error) }}
    ...    *QEMU's state: running; accelerator: *; serial console stayed empty*
    Should Be Equal    ${error.evidence.stage}    waiting for the guest agent
    Should Be True    $error.evidence.waited >= 3

More Memory Than The Host Has
    [Documentation]    Told with what it has, before anything is started.
    [Tags]    fault-32
    Create VM    vm0    mem=size=16777216
    ${error} =    Should Fail With    HostError    Start VM    vm0
    Should Match    ${error.summary}    *16777216 MiB of memory are needed, and * MiB are available*
    ${vm} =    Get VM    vm0
    Should Be Equal    ${vm.artifacts}    ${None}

A Program That Is No QEMU
    [Documentation]    Missing, not executable, or of another processor.
    [Tags]    fault-2
    Create File    ${OUTPUT_DIR}/plain    no program
    Create File    ${OUTPUT_DIR}/foreign    \x7fELF
    Evaluate    os.chmod($OUTPUT_DIR + '/foreign', 0o755)    modules=os
    FOR    ${path}    IN    /no/such/qemu    ${OUTPUT_DIR}/plain    ${OUTPUT_DIR}/foreign
        Create VM    vm0    qemu=path=${path}
        ${error} =    Should Fail With    HypervisorMissing    Start VM    vm0
        Should Contain    ${error.summary}    QEMU binary '${path}'
        Stop VM    vm0
    END

Rights That The Run Has Not
    [Documentation]    A run that may neither read what is not its own nor listen below 1024, in a
    ...    network of its own.
    [Tags]    fault-14    fault-27    root
    Evaluate    pathlib.Path($OUTPUT_DIR, 'secret.raw').write_bytes(bytes(1 << 20))    modules=pathlib
    Evaluate    (os.chown($OUTPUT_DIR + '/secret.raw', 1, 1), os.chmod($OUTPUT_DIR + '/secret.raw', 0o600))
    ...    modules=os
    VAR    ${drop}    -dac_override,-dac_read_search,-net_bind_service
    ${run} =    Run Process    unshare    -n    sh    -c
    ...    ip link set lo up && exec setpriv --bounding-set ${drop} -- "$@"    sh
    ...    python    -m    robot    --outputdir    ${OUTPUT_DIR}/few-rights
    ...    --variable    IMAGE:${OUTPUT_DIR}/secret.raw    --maxerrorlines    NONE
    ...    ${CURDIR}/../_data/few_rights.robot
    ...    stdout=${OUTPUT_DIR}/few-rights.txt    stderr=STDOUT    timeout=2 min
    Log    ${run.stdout}
    Should Contain    ${run.stdout}    2 tests, 2 passed, 0 failed
    Should Be Equal As Integers    ${run.rc}    0

A Loopback Interface That Is Down
    [Documentation]    Told at once, not at the deadline.
    [Tags]    root
    ${run} =    Run Process    unshare    -n    python    -m    robot
    ...    --outputdir    ${OUTPUT_DIR}/no-loopback    ${CURDIR}/../_data/no_loopback.robot
    ...    stdout=${OUTPUT_DIR}/no-loopback.txt    stderr=STDOUT    timeout=5 min
    Log    ${run.stdout}
    Should Contain    ${run.stdout}    1 test, 1 passed, 0 failed
    Should Be Equal As Integers    ${run.rc}    0

Times That Are None
    [Documentation]    Refused before anything is started or asked.
    Create VM With A Guest That Never Answers    vm0
    ${error} =    Should Fail With    ConfigError    Start VM    vm0    timeout=0 s
    Should Start With    ${error.summary}    timeout is 0 s, in which nothing can start.
    FOR    ${keyword}    IN    Start VM    Start VMs    Stop VM    Reboot Guest    Ping Guest Agent
        ${error} =    Should Fail With    ConfigError    ${keyword}    vm0    timeout=-1 s
        Should Start With    ${error.summary}    timeout is -1 s, and no time is negative.
    END
    ${vm} =    Get VM    vm0
    Should Be Equal    ${vm.artifacts}    ${None}
