*** Settings ***
Documentation       What a VM is made of: from files, from keywords, and what QEMU is told of it.

Resource            resources/common.resource
Library             Process
Library             SSHLibrary
Library             resources/QmpSocket.py

Test Teardown       Stop All VMs    timeout=0 s

Test Timeout        5 min

Test Tags           configuration


*** Variables ***
# Each specification is started once here, so a template would be made for nothing.
${WARM}         ${FALSE}    # robocop: off=VAR02
${CONFIGS}      ${CURDIR}/_data/configs


*** Test Cases ***
The Sample File Makes A Guest That Is As It Says
    [Documentation]    Loaded as in 2015; processors, memory and pinning are looked up outside too.
    Load VM Config    ${CONFIGS}/sample.cfg
    Create VM    vm0
    ${session} =    Start VM    vm0
    Should Be Equal    ${session.username}    root
    ${processors} =    Execute Command    grep -c ^processor /proc/cpuinfo
    Should Be Equal    ${processors}    2
    ${memory} =    Execute Command    awk '/MemTotal/ {print $2}' /proc/meminfo
    Should Be True    300 * 1024 < ${memory} < 384 * 1024
    Virtual CPUs Should Run On    vm0    0

A File Beside The Suite Is Found By Its Relative Name
    [Documentation]    From the working directory first, then from the suite's.
    Create VM    vm0    _data/configs/sample.cfg
    ${arguments} =    Get VM Command Line    vm0
    Should Contain    ${arguments}    384M

Every Way To Write It Gives The Same Command Line
    [Documentation]    A .cfg section, YAML, texts, and dictionaries and lists.
    ${expected} =    Get Command Line Of Config    ${CONFIGS}/sample.cfg
    ${from_yaml} =    Get Command Line Of Config    ${CONFIGS}/sample.yaml
    Lists Should Be Equal    ${from_yaml}    ${expected}
    ${from_texts} =    Get Command Line Of Config
    ...    ${None}
    ...    cpu=model=qemu64,number=2,cpupin=0
    ...    mem=size=384
    ...    login=user=root,password=tester
    ...    vnc=auto=yes
    ...    device=driver=virtio-rng-pci,opt_id=rng1
    Lists Should Be Equal    ${from_texts}    ${expected}
    ${from_values} =    Get Command Line Of Config
    ...    ${None}
    ...    cpu=${{ {'model': 'qemu64', 'number': 2, 'cpupin': [0]} }}
    ...    mem=${{ {'size': 384} }}
    ...    login=${{ {'user': 'root', 'password': 'tester'} }}
    ...    vnc=${{ {'auto': True} }}
    ...    device=${{ [{'driver': 'virtio-rng-pci', 'opt_id': 'rng1'}] }}
    Lists Should Be Equal    ${from_values}    ${expected}

The Nearer Word Counts
    [Documentation]    The defaults fill in those parameters that the section has not.
    Load VM Config    ${CONFIGS}/global.cfg
    Load VM Config    ${CONFIGS}/sample.cfg
    Create VM    vm1
    ${arguments} =    Get VM Command Line    vm1
    Should Contain    ${arguments}    256M
    Should Contain    ${arguments}    4,sockets=1,cores=4,threads=1

What Keywords Say Takes The Place Of What The File Says
    [Documentation]    A whole parameter each: of the file's cpu nothing is left.
    Create VM    vm0    ${CONFIGS}/sample.cfg    cpu=number=3
    ${arguments} =    Get VM Command Line    vm0
    Should Contain    ${arguments}    384M
    Should Contain    ${arguments}    3,sockets=1,cores=3,threads=1
    Should Not Contain    ${arguments}    qemu64
    Set VM Parameter    vm0    mem    size=1G
    ${arguments} =    Get VM Command Line    vm0
    Should Contain    ${arguments}    1024M

What A Keyword Cannot Set Is Told With The VM
    [Documentation]    Also where the option could be meant for the whole value.
    Create VM    vm0
    Run Keyword And Expect Error
    ...    VM 'vm0': unknown parameter 'cpus'. Did you mean 'cpu'? *
    ...    Set VM Parameter    vm0    cpus    number=2
    Run Keyword And Expect Error
    ...    VM name 'None' is not allowed: *
    ...    Create VM    ${NONE}

Devices That Were Added Stay Beside Those Of The File
    [Documentation]    Each with its id, in order; the back end needs no server yet.
    Create VM    vm0    ${CONFIGS}/sample.cfg
    ${first} =    Add VM Device    vm0    driver=vhost-user    opt_path=./vhost-net0    opt_mac=00:00:20:00:00:20
    ${second} =    Add VM Device    vm0    driver=virtio-rng-pci
    ${line} =    Get VM Command Line    vm0    format=shell
    FOR    ${id}    IN    rng1    ${first}    ${second}
        Should Contain    ${line}    id=${id},
    END
    Should Contain    ${line}    mac=00:00:20:00:00:20

Nothing Is Started For A Command Line
    [Documentation]    And no file or directory is made for it.
    Create VM    lineonly
    ${arguments} =    Get VM Command Line    lineonly
    OperatingSystem.File Should Exist    ${arguments}[0]
    ${shell} =    Get VM Command Line    lineonly    format=shell
    Should Contain    ${shell}    /tmp/dtsvirt-lineonly
    OperatingSystem.Directory Should Not Exist    /tmp/dtsvirt-lineonly
    ${processes} =    Processes Of    dtsvirt-lineonly
    Should Be Empty    ${processes}

The Command Line Runs When It Is Pasted Into A Shell
    [Documentation]    The guest begins to boot, and the monitor answers.
    Create VM    pasted
    ${text} =    Get VM Command Line    pasted    format=shell
    Create File    ${OUTPUT_DIR}/pasted.sh    ${text}
    Start Process    bash    ${OUTPUT_DIR}/pasted.sh    stderr=STDOUT    stdout=${OUTPUT_DIR}/pasted.txt
    ${status}    ${name} =    Ask QEMU On Socket    /tmp/dtsvirt-pasted/qmp.sock    query-status    query-name
    Should Be Equal    ${status}[status]    running
    Should Be Equal    ${name}[name]    pasted
    Ask QEMU On Socket    /tmp/dtsvirt-pasted/qmp.sock    quit
    ${result} =    Wait For Process    timeout=30 s    on_timeout=kill
    Should Be Equal As Integers    ${result.rc}    0    ${result.stdout}
    [Teardown]    Remove Directory    /tmp/dtsvirt-pasted    recursive=yes


*** Keywords ***
Get Command Line Of Config
    [Documentation]    Returns the command line of a VM named vm0 that is made of these words.
    [Arguments]    ${config}    &{parameters}
    Create VM    vm0    ${config}    &{parameters}
    ${arguments} =    Get VM Command Line    vm0
    Stop VM    vm0
    RETURN    ${arguments}

Virtual CPUs Should Run On
    [Documentation]    Looks at the threads that QEMU named after its CPUs.
    [Arguments]    ${name}    ${expected}
    ${vm} =    Get VM    ${name}
    ${threads} =    Run Process
    ...    grep -l ^CPU /proc/${vm.pid}/task/*/comm | sed s/comm/status/ | xargs grep -h Cpus_allowed_list
    ...    shell=yes
    ${lists} =    Evaluate    [line.split()[1] for line in $threads.stdout.splitlines()]
    Should Not Be Empty    ${lists}
    FOR    ${cpus}    IN    @{lists}
        Should Be Equal    ${cpus}    ${expected}
    END
