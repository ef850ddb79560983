*** Settings ***
Documentation       What the guest agent does on a VM with no network card at all.

Resource            resources/common.resource

Suite Setup         Start VM Without Network
Suite Teardown      Stop All VMs

Test Timeout        5 min

Test Tags           agent


*** Variables ***
# Each specification is started once here, so a template would be made for nothing.
${WARM}      ${FALSE}    # robocop: off=VAR02


*** Test Cases ***
There Is No Network
    [Documentation]    Neither on the host's side nor in the guest.
    Should Be Equal    ${SESSION.port}    ${None}
    Should Be Equal    ${SESSION.ip}    ${None}
    ${interfaces} =    Get Guest Interfaces    vm0
    ${names} =    Get Dictionary Keys    ${interfaces}
    Should Be Equal    ${names}    ${{ ['lo'] }}
    Run Keyword And Expect Error
    ...    VM 'vm0' has no control interface*Guest interfaces: lo.
    ...    Get VM IP    vm0

The Agent Answers
    [Documentation]    The round trip is returned.
    ${took} =    Ping Guest Agent    vm0
    Should Be True    0 < $took.total_seconds() < 5

Output That Is Too Long Is Cut
    [Documentation]    At what the agent itself keeps of it; the result says so, and the channel is well.
    [Tags]    fault-65
    ${result} =    Execute In Guest    vm0    head -c 17000000 /dev/zero | tr '\\0' x    timeout=${PATIENCE}
    Should Be True    $result.truncated
    Should Be Equal As Integers    ${{ len($result.stdout) }}    ${{ 16 * 2 ** 20 }}
    Guest Should Answer    vm0

A Command Goes Through The Shell
    [Documentation]    One text, with all that a shell understands.
    ${result} =    Execute In Guest    vm0    cd /proc; ls cpu* | head -1; echo oops >&2; exit 3
    Should Be Equal As Integers    ${result.rc}    3
    Should Be Equal    ${result.stdout}    cpuinfo\n
    Should Be Equal    ${result.stderr}    oops\n
    Should Not Be True    ${result.truncated}

A Program With Arguments Sees No Shell
    [Documentation]    Blanks, quotes and signs arrive as they are.
    ${result} =    Execute In Guest    vm0    printf    <%s>    a${SPACE}b    $HOME    it's    ü
    Should Be Equal    ${result.stdout}    <a b><$HOME><it's><ü>

Standard Input Is Handed Over
    [Documentation]    And its end is seen.
    ${result} =    Execute In Guest    vm0    tr a-z A-Z    stdin=shout\n
    Should Be Equal    ${result.stdout}    SHOUT\n

A Command That A Signal Ended Has A Negative Code
    [Documentation]    As with Robot Framework's own Process library.
    ${result} =    Execute In Guest    vm0    kill -TERM $$
    Should Be Equal As Integers    ${result.rc}    -15

An Unexpected Exit Code Fails Where One Is Expected
    [Documentation]    The message has both outputs.
    ${error} =    Run Keyword And Expect Error
    ...    VM 'vm0': command 'echo out; echo err >&2; exit 4' returned rc 4, expected 0.*
    ...    Execute In Guest    vm0    echo out; echo err >&2; exit 4    expected_rc=0
    Should Contain    ${error}    stdout: out
    Should Contain    ${error}    stderr: err

A Program That Is Not There Is Told
    [Documentation]    The agent's own words are in the message.
    Run Keyword And Expect Error
    ...    VM 'vm0': the guest agent refused guest-exec of '/no/such/program'*No such file*
    ...    Execute In Guest    vm0    /no/such/program    argument

A Command That Takes Too Long Is Killed In The Guest
    [Documentation]    With what it started; what it had written is in the message.
    ${error} =    Run Keyword And Expect Error
    ...    VM 'vm0': 'echo begun; sleep 4321; true' did not end in the guest within 1 s; it was*
    ...    Execute In Guest    vm0    echo begun; sleep 4321; true    timeout=1 s
    Should Contain    ${error}    Its stdout so far: begun
    ${result} =    Execute In Guest    vm0    pgrep -f 'sleep [4]321'
    Should Be Equal    ${result.stdout}    ${EMPTY}
    Guest Should Answer    vm0

Text Of The Guest Cannot Harm The Report
    [Documentation]    Control characters and bytes that are no text are made harmless.
    [Tags]    fault-64
    ${result} =    Execute In Guest    vm0    printf '\\033[31mred\\000\\377\\n'
    Should Contain    ${result.stdout}    red

A Large Binary File Goes Both Ways Unchanged
    [Documentation]    5 MB, compared by their digest on each side.
    ${expected} =    Make A Random File    ${OUTPUT_DIR}/random.bin
    Put File In Guest    vm0    ${OUTPUT_DIR}/random.bin    /tmp/random.bin
    ${result} =    Execute In Guest    vm0    sha256sum    /tmp/random.bin    expected_rc=0
    Should Start With    ${result.stdout}    ${expected}
    Get File From Guest    vm0    /tmp/random.bin    ${OUTPUT_DIR}/back/random.bin
    ${actual} =    Get Digest Of File    ${OUTPUT_DIR}/back/random.bin
    Should Be Equal    ${actual}    ${expected}
    [Teardown]    Remove Files    ${OUTPUT_DIR}/random.bin    ${OUTPUT_DIR}/back/random.bin

An Empty File And An Odd Name Go Too
    [Documentation]    Names are not seen by any shell.
    Create File    ${OUTPUT_DIR}/empty file    ${EMPTY}
    Put File In Guest    vm0    ${OUTPUT_DIR}/empty file    /tmp/it's "odd" $HOME
    Get File From Guest    vm0    /tmp/it's "odd" $HOME    ${OUTPUT_DIR}/back/empty
    ${size} =    Get File Size    ${OUTPUT_DIR}/back/empty
    Should Be Equal As Integers    ${size}    0

Files That Are Not There Are Told
    [Documentation]    On either side.
    Run Keyword And Expect Error
    ...    '/no/such/file' does not exist, so it cannot be put into 'vm0'.
    ...    Put File In Guest    vm0    /no/such/file    /tmp/x
    Run Keyword And Expect Error
    ...    VM 'vm0': the guest agent refused guest-file-open of '/no/such/file'*
    ...    Get File From Guest    vm0    /no/such/file    ${OUTPUT_DIR}/back/x
    OperatingSystem.File Should Not Exist    ${OUTPUT_DIR}/back/x


*** Keywords ***
Start VM Without Network
    [Documentation]    Waiting for SSH is waiting for the agent then.
    Create VM    vm0    net=type=none
    ${session} =    Start VM    vm0
    VAR    ${SESSION}    ${session}    scope=SUITE

Make A Random File
    [Documentation]    Writes a bit more than 5 MiB and returns their digest.
    [Arguments]    ${path}
    Evaluate
    ...    pathlib.Path($path).write_bytes(random.randbytes(5 * 1024 * 1024 + 7))
    ...    modules=pathlib, random
    ${digest} =    Get Digest Of File    ${path}
    RETURN    ${digest}

Get Digest Of File
    [Documentation]    Returns the SHA-256 of a file's bytes as hexadecimal text.
    [Arguments]    ${path}
    ${digest} =    Evaluate    hashlib.sha256(pathlib.Path($path).read_bytes()).hexdigest()
    ...    modules=hashlib, pathlib
    RETURN    ${digest}
