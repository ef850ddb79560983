*** Settings ***
Documentation       What goes wrong while VMs run: each time there is a clear failure, the artifacts
...                 are kept, and nothing of the run is left behind.

Resource            resources/common.resource
Library             Process

Test Timeout        4 min

Test Tags           bad-days


*** Variables ***
# Guests that never come up have no template, and what is ended here is a boot.
${WARM}      ${FALSE}    # robocop: off=VAR02


*** Test Cases ***
QEMU Is Killed In The Middle Of A Keyword
    [Documentation]    The keyword that waits is told at once, and the next one too.
    [Tags]    fault-51
    ${run} =    Start Inner Run    killed_in_use.robot
    ${pid} =    Wait For Inner VM    ${run}
    Wait For Inner Console    ${run}    in the middle
    Run Process    kill    -9    ${pid}
    Finish Inner Run    ${run}
    Inner Test Should Have Failed
    ...    ${run}
    ...    Be Killed
    ...    VM 'vm0': its process ended; 'Execute In Guest' needs it running. It was killed from outside
    ...    Process ended: signal SIGKILL (9)
    ...    Serial console, last lines:
    ...    in the middle
    ...    Artifacts:
    Inner Test Should Have Passed    ${run}    Look After It
    Nothing Should Be Left Of    ${run}
    Artifacts Should Be Kept    ${run}    vm0

Control C Ends A Start
    [Documentation]    The report is whole.
    ${run} =    Start Inner Run    hanging_start.robot
    Wait For Inner Console    ${run}    nothing more to say
    Signal Inner Run    ${run}    SIGINT
    Finish Inner Run    ${run}
    Inner Test Should Have Failed    ${run}    Hang    Execution terminated by signal
    Nothing Should Be Left Of    ${run}
    Artifacts Should Be Kept    ${run}    deaf

A Termination Ends A Start
    [Documentation]    As a job that is cancelled sends it.
    ${run} =    Start Inner Run    hanging_start.robot
    Wait For Inner Console    ${run}    nothing more to say
    Signal Inner Run    ${run}    SIGTERM
    Finish Inner Run    ${run}
    Inner Test Should Have Failed    ${run}    Hang    Execution terminated by signal
    Nothing Should Be Left Of    ${run}
    Artifacts Should Be Kept    ${run}    deaf

Robot Framework's Timeout Ends A Start
    [Documentation]    And the next test can use the VM's name and artifacts.
    [Tags]    fault-68
    ${run} =    Run Inner Suite    timeout_start.robot
    Inner Test Should Have Failed    ${run}    Time Out    Test timeout 5 seconds exceeded.
    Inner Test Should Have Passed    ${run}    Look After It
    Nothing Should Be Left Of    ${run}

QEMU Does Not Outlive A Runner That Was Killed
    [Documentation]    Its directory goes too, within two seconds; there is no report then.
    ${run} =    Start Inner Run    hanging_start.robot
    ${pid} =    Wait For Inner VM    ${run}
    Signal Inner Run    ${run}    SIGKILL
    Nothing Should Be Left Of    ${run}    within=2
    Process Should Be Gone    ${pid}
    Finish Inner Run    ${run}

Pabot Can Cut A Run Short
    [Documentation]    It neither hangs nor leaves anything.
    ${run} =    Run Inner Suite    hanging_start.robot    --processtimeout    15    runner=pabot
    Should Be True    ${run.took} < 120
    Nothing Should Be Left Of    ${run}

KVM That Cannot Be Used Is Passed Over And Told
    [Documentation]    The device file alone is no proof; a trial decides.
    [Tags]    fault-29
    ${qemu} =    Make A QEMU Without KVM
    ${run} =    Run Inner Suite    accelerator.robot    --variable    QEMU:${qemu}
    Inner Test Should Have Passed    ${run}
    ${report} =    OperatingSystem.Get File    ${run.output}/output.xml
    Should Match Regexp    ${report}    (?i)vm 'vm0': .*(tcg|emulation)
    Nothing Should Be Left Of    ${run}

KVM That Is Demanded And Cannot Be Used Is A Failure
    [Documentation]    With the reason and what to do.
    [Tags]    fault-29
    ${qemu} =    Make A QEMU Without KVM
    ${run} =    Run Inner Suite
    ...    accelerator.robot
    ...    --variable
    ...    QEMU:${qemu}
    ...    --variable
    ...    ACCELERATOR:kvm
    Inner Test Should Have Failed
    ...    ${run}
    ...    Start
    ...    KVM was demanded and cannot be used:
    ...    Or use accelerator 'auto' or 'tcg'
    Nothing Should Be Left Of    ${run}


*** Keywords ***
Artifacts Should Be Kept
    [Documentation]    What a red run needs, of the first start of a VM.
    [Arguments]    ${run}    ${vm}
    FOR    ${file}    IN    command-line.txt    stderr.log    serial.log    qmp.jsonl    stages.txt
        OperatingSystem.File Should Exist    ${run.output}/vms/${vm}/start-1/${file}
    END

Make A QEMU Without KVM
    [Documentation]    The installed QEMU, but it fails where KVM is asked for, as on a machine
    ...    whose KVM is of no use.
    VAR    ${path}    ${OUTPUT_DIR}/qemu-without-kvm
    VAR    ${refusal}    case "$*" in *"-accel kvm"*) echo 'no KVM for this test' >&2; exit 1;; esac
    Create File    ${path}    \#!/bin/sh\n${refusal}\nexec qemu-system-x86_64 "$@"\n
    Evaluate    os.chmod($path, 0o755)    modules=os
    # Its probe is cached by this time; one result of it is enough.
    Evaluate    os.utime($path, (0, 0))    modules=os
    RETURN    ${path}
