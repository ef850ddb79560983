*** Settings ***
Documentation       What cannot work is refused before anything is started, with the place, what
...                 is wrong, and what is allowed. Nothing is left behind.

Resource            resources/common.resource
Library             resources/Failures.py

Test Teardown       Expect That Nothing Is Left

Test Tags           bad-input


*** Variables ***
# Guests that never come up have no template.
${WARM}         ${FALSE}    # robocop: off=VAR02
${CONFIGS}      ${CURDIR}/_data/configs


*** Test Cases ***
The Look For Remains Sees What There Is
    [Documentation]    Or else all other tests here would prove little.
    Create VM    vm0
    Start VM    vm0    wait_for=process
    ${vm} =    Get VM    vm0
    Run Keyword And Expect Error
    ...    These are left: process ${vm.pid}, */dtsvirt-vm0-*
    ...    Nothing Should Be Left Of This Run
    Kill VM    vm0

A Configuration File That Is Not There
    [Documentation]    The message says where it was looked for.
    [Tags]    fault-11
    ${error} =    Should Fail With    ConfigError    Create VM    vm0    no.cfg
    Should Match    ${error.summary}
    ...    Configuration file 'no.cfg' does not exist. Looked at '*/no.cfg' and '${CURDIR}/no.cfg'.
    Should Fail Saying    ConfigError
    ...    Configuration file '/no/such.yaml' does not exist.*
    ...    Load VM Config    /no/such.yaml

A Section That Is Not There
    [Documentation]    With the nearest name and those there are.
    Run Keyword And Expect Error
    ...    ${CONFIGS}/sample.cfg: *'vm10'*Did you mean 'vm1'?*vm0*
    ...    Create VM    vm10    ${CONFIGS}/sample.cfg

A Misspelt Option In A File
    [Documentation]    With file and line.
    [Tags]    fault-11
    ${error} =    Should Fail With    ConfigError    Create VM    vm0    ${CONFIGS}/broken.cfg
    Should Match    ${error.summary}    ${CONFIGS}/broken.cfg:5: mem: *'sise'*Did you mean 'size'?*

A Misspelt Parameter Of A Keyword
    [Documentation]    With the VM instead of a file.
    Run Keyword And Expect Error
    ...    VM 'vm0': *'memry'*Did you mean 'mem'?*
    ...    Create VM    vm0    memry=size=512

A Number Out Of Range
    [Documentation]    With the range; the rest of the file is not loaded either.
    Run Keyword And Expect Error
    ...    ${CONFIGS}/broken.cfg:*number*'0'*1*
    ...    Create VM    vm1    ${CONFIGS}/broken.cfg
    Run Keyword And Expect Error    *    Load VM Config    ${CONFIGS}/broken.cfg
    Run Keyword And Expect Error    There is no VM 'vm1'*VMs: none*    Start VM    vm1

A Name With A Slash
    [Documentation]    Names become directories.
    [Tags]    fault-12
    FOR    ${name}    IN    ../vm0    a/b    a\nb    ${EMPTY}    ${{ 'x' * 200 }}
        ${error} =    Should Fail With    ConfigError    Create VM    ${name}
        Should Contain    ${error.summary}    letters, digits
    END
    OperatingSystem.Directory Should Not Exist    ${OUTPUT_DIR}/vm0

A VM That Was Not Created
    [Documentation]    With the nearest name.
    Create VM    router
    Run Keyword And Expect Error
    ...    There is no VM 'rooter'. Did you mean 'router'? VMs: router. Create one with*
    ...    Start VM    rooter

A Name That Is Taken
    [Documentation]    By a VM that waits to be started.
    [Tags]    fault-7
    Create VM    vm0
    ${error} =    Should Fail With    ConfigError    Create VM    vm0
    Should Start With    ${error.summary}    There is a VM 'vm0' already; it is created. Stop it first

An Image That Is Not There
    [Documentation]    With the whole path, since a relative one counts from somewhere.
    [Tags]    fault-14
    Create VM    vm0
    Add VM Disk    vm0    no-such-image.qcow2    format=qcow2
    Start Should Be Refused    ImageError    vm0    *'no-such-image.qcow2' does not exist*(looked at '/*

An Image Of Another Format
    [Documentation]    The content never decides about the format.
    [Tags]    fault-18
    Create File    ${OUTPUT_DIR}/image.qcow2    this is no qcow2 image
    Create VM    vm0
    Add VM Disk    vm0    ${OUTPUT_DIR}/image.qcow2    format=qcow2
    Start Should Be Refused    ImageError    vm0    *is not a qcow2 image, but its format says so*

A Device That The Binary Lacks
    [Documentation]    With its version and the nearest name.
    [Tags]    fault-4
    Create VM    vm0
    Add VM Device    vm0    driver=virtio-rgn-pci
    Start Should Be Refused    ConfigError    vm0    *'virtio-rgn-pci'*Did you mean 'virtio-rng-pci'?*

A Property That A Device Lacks
    [Documentation]    Asked of the binary as well.
    [Tags]    fault-5
    Create VM    vm0
    Add VM Device    vm0    driver=virtio-rng-pci    max-bites=3
    Start Should Be Refused    ConfigError    vm0    *'max-bites'*Did you mean 'max-bytes'?*

QEMU Is Not Installed Where It Is Said To Be
    [Documentation]    With what to do.
    [Tags]    fault-2
    Create VM    vm0    qemu=path=/no/such/qemu
    Start Should Be Refused
    ...    HypervisorMissing
    ...    vm0
    ...    VM 'vm0': QEMU binary '/no/such/qemu' does not exist on localhost*apt-get install*

QEMU Is Too Old
    [Documentation]    With the version found and the oldest that will do.
    VAR    ${greeting}    {"QMP": {"version": {"qemu": {"major": 2, "minor": 11, "micro": 1}}}}
    Create File    ${OUTPUT_DIR}/old-qemu    \#!/bin/sh\necho '${greeting}'\ncat >/dev/null\n
    Evaluate    os.chmod($OUTPUT_DIR + '/old-qemu', 0o755)    modules=os
    Create VM    vm0    qemu=path=${OUTPUT_DIR}/old-qemu
    Start Should Be Refused    HypervisorMissing    vm0    *is version 2.11.1; 6.2 is the oldest that is supported*

A Port That Is Taken
    [Documentation]    Only a tester can fix a port; QEMU picks a free one otherwise.
    [Tags]    fault-25
    ${port} =    Hold A Port
    Create VM    vm0    net=type=nic\ntype=user,opt_hostfwd=tcp:127.0.0.1:${port}-:22
    ${error} =    Should Fail With    PortInUse    Start VM    vm0
    Should Match    ${error.summary}    *tcp:127.0.0.1:${port}-:22*process ${{ os.getpid() }} (*) has it*

An Address That Two Cards Have
    [Documentation]    Within one VM.
    [Tags]    fault-9
    Create VM    vm0
    Add VM Device    vm0    driver=vhost-user    opt_path=./a    opt_mac=00:00:20:00:00:20
    Add VM Device    vm0    driver=vhost-user    opt_path=./b    opt_mac=00:00:20:00:00:20
    Start Should Be Refused    ConfigError    vm0    *00:00:20:00:00:20*

QEMU That Ends At Once
    [Documentation]    Its exit code and its own words are in the message, the artifacts are kept.
    [Tags]    fault-49
    Create VM    vm0    usercmd=cmd="-fw_cfg name=opt/x,file=/no/such/file"
    ${error} =    Should Fail Saying    StartError
    ...    VM 'vm0': QEMU ended while it started: -fw_cfg *No such file or directory*
    ...    Start VM    vm0
    Should Contain    ${error}    Process ended: exit code 1
    Should Contain    ${error}    /no/such/file
    ${vm} =    Get VM    vm0
    Should Contain    ${error}    Artifacts: ${vm.artifacts}
    ${text} =    OperatingSystem.Get File    ${vm.artifacts}/stderr.log
    Should Contain    ${text}    /no/such/file
    ${text} =    OperatingSystem.Get File    ${vm.artifacts}/error.txt
    Should Match Regexp    ${text}    Command line: \\S*qemu-system

A Guest That Never Answers
    [Documentation]    Its VM is ended at the deadline; the console's tail tells why it was silent.
    [Tags]    fault-61
    Create VM With A Guest That Never Answers    vm0
    ${error} =    Should Fail Saying    AgentTimeout
    ...    VM 'vm0': the guest agent did not answer within *
    ...    Start VM    vm0    timeout=5 s
    Should Contain    ${error}    This guest has nothing more to say.
    Should Contain    ${error}    Stages reached: process started
    ${vm} =    Get VM    vm0
    Should Be Equal    ${vm.status}    stopped
    OperatingSystem.File Should Exist    ${vm.artifacts}/serial.log


*** Keywords ***
Start Should Be Refused
    [Documentation]    Before anything is started: no artifacts are kept, since there are none.
    [Arguments]    ${class}    ${name}    ${message}
    ${error} =    Should Fail With    ${class}    Start VM    ${name}
    Should Match    ${{ str($error) }}    ${message}
    ${vm} =    Get VM    ${name}
    Should Be Equal    ${vm.artifacts}    ${None}

Expect That Nothing Is Left
    [Documentation]    Neither process nor private directory of this run.
    Nothing Should Be Left Of This Run
