*** Settings ***
Documentation       Clones outlive their run if asked to, and migrate to a file. All else that VMs can
...                 do the other suites show, whose VMs are clones too: reset, reboot, hot plug,
...                 PCI addresses and pictures, on both machine types and both versions of QEMU.

Resource            resources/guest.resource
Library             Process
Library             resources/Streams.py

Suite Teardown      Stop All VMs    timeout=0 s

Test Tags           warm    both-versions


*** Test Cases ***
A Clone Migrates To A File
    [Documentation]    With its memory, what it has in common with its template included, and it goes
    ...    on after that. A marker in its memory is found in the file. On both machine types.
    FOR    ${machine}    IN    pc    q35
        Create VM    ${machine}    machine=machine=${machine}
        Start VM    ${machine}    warm=True    wait_for=agent
        VAR    ${file}    ${OUTPUT_DIR}/${machine}.state
        Execute In Guest    ${machine}    printf mark | md5sum >/run/mark    expected_rc=${0}
        Migrate To File    ${machine}    ${file}
        Stream Should Contain    ${file}    ${{ hashlib.md5(b'mark').hexdigest() }}
        Resume VM    ${machine}
        Guest Should Answer    ${machine}
        Stop VM    ${machine}    timeout=0 s
    END
    [Teardown]    Remove Files    ${OUTPUT_DIR}/pc.state    ${OUTPUT_DIR}/q35.state

A Clone Outlives Its Run If It Is Kept
    [Documentation]    With the disk that it has an overlay on. Its directories go when it ends; its
    ...    template may go before.
    VAR    ${image}    ${OUTPUT_DIR}/kept.img
    Create Binary File    ${image}    ${{ bytes(2 ** 20) }}
    ${run} =    Run Inner Suite    kept_clone.robot    --variable    IMAGE:${image}
    Inner Test Should Have Passed    ${run}
    ${pid}    ${port} =    Evaluate    re.search(r'@@kept: (\\d+) (\\d+)', $run.console).groups()
    Should Contain    ${run.console}    VM 'kept' was kept: process ${pid}
    Kept Clone Should Serve    ${run}    ${pid}    ${port}
    Evaluate    os.kill(${pid}, 9)
    Nothing Should Be Left Of    ${run}    within=20


*** Keywords ***
Kept Clone Should Serve
    [Documentation]    Its process and its disk's overlay are there, and its SSH server answers.
    [Arguments]    ${run}    ${pid}    ${port}
    OperatingSystem.File Should Exist    /proc/${pid}/exe
    ${overlays} =    Evaluate    list($run.runtime.glob('*/*.qcow2'))
    Length Should Be    ${overlays}    1
    ${shown} =    Run Process    ssh-keyscan    -T    60    -t    ed25519    -p    ${port}    127.0.0.1
    Should Contain    ${shown.stdout}    ssh-ed25519

Migrate To File
    [Documentation]    QEMU connects to a socket, behind which the file is written.
    [Arguments]    ${vm}    ${file}
    ${socket} =    Receive Stream    ${file}
    Run QMP Command    ${vm}    migrate    uri=unix:${socket}
    Wait Until Keyword Succeeds    ${PATIENCE}    0.2 s    Migration Should Be Completed    ${vm}
    Finish Stream    ${file}

Migration Should Be Completed
    [Documentation]    As QEMU tells it.
    [Arguments]    ${vm}
    ${found} =    Run QMP Command    ${vm}    query-migrate
    Should Be Equal    ${found}[status]    completed    ${found}
