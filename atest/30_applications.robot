*** Settings ***
Documentation       Console applications: the same keywords on the host and in a guest.

Resource            resources/common.resource
Library             SSHLibrary

Suite Setup         Boot A Guest
Suite Teardown      Stop All VMs    timeout=0 s

Test Tags           applications


*** Variables ***
# It answers each line, and ends at "quit" with exit code 7.
@{TALKER_LINES}     printf "welcome\\nready> "
...                 while read -r line
...                 do [ "$line" != quit ] || exit 7
...                 printf "you said %s\\nready> " "$line"
...                 done
${TALKER}           sh -c '${{ "; ".join($TALKER_LINES).replace("do;", "do") }}'
${PROMPT}           ready>
# The guest's programs run under emulation.
${COUNT}            ${20000}


*** Test Cases ***
An Application On The Host Is Talked To
    [Documentation]    From its welcome to its end.
    Application Should Be Talked To    vm=${NONE}

An Application In A Guest Is Talked To
    [Documentation]    By the same keywords, over the SSH connection of the VM.
    Application Should Be Talked To    vm=vm0

SSHLibrary Goes On Beside It
    [Documentation]    The application has a channel of its own.
    Start Application    talker    ${TALKER}    prompt=${PROMPT}    vm=vm0
    ${name} =    Execute Command    hostname
    Should Be Equal    ${name}    vm0
    ${answer} =    Send To Application    talker    still there
    Should Be Equal    ${answer}    you said still there

A Missing Prompt Is Told With The Last Lines
    [Documentation]    And where the whole output is.
    Start Application    talker    ${TALKER}    prompt=${PROMPT}
    Run Keyword And Expect Error
    ...    Application 'talker' (localhost) did not print the prompt 'never' within 0.5 s after 'hello'.*you said hello*
    ...    Send To Application    talker    hello    prompt=never    timeout=0.5 s
    ${transcript} =    Get Transcript    talker
    Should Contain    ${transcript}    you said hello

An Application That Dies Is Noticed At Once
    [Documentation]    Long before the deadline, with its exit code.
    FOR    ${vm}    IN    ${NONE}    vm0
        Start Application    talker    ${TALKER}    prompt=${PROMPT}    vm=${vm}
        Run Keyword And Expect Error
        ...    Application 'talker' (*) has ended (exit code 7) instead of printing the prompt*
        ...    Send To Application    talker    quit    timeout=10 min
        Run Keyword And Expect Error    *exit code 7*    Application Should Be Running    talker
        ${code} =    Stop Application    talker
        Should Be Equal As Integers    ${code}    7
    END

An Application That Does Not Start Says Why
    [Documentation]    On the host it is not executed; in a guest the shell says it.
    Run Keyword And Expect Error
    ...    *Cannot start 'no-such-program'*
    ...    Start Application    nothing    no-such-program    prompt=x
    Run Keyword And Expect Error
    ...    Application 'nothing' (VM 'vm0') has ended (exit code 127)*not found*
    ...    Start Application    nothing    no-such-program    prompt=x    vm=vm0

Much Output Comes Whole
    [Documentation]    All of it, and in order.
    Start Application    seq    sh -c 'seq ${COUNT}; printf "ready> "; cat'    vm=vm0
    ${text} =    Wait Until Application Prints    seq    ready>    timeout=${PATIENCE}
    ${lines} =    Evaluate    $text.splitlines()
    Length Should Be    ${lines}    ${COUNT + 1}
    Should Be Equal    ${lines}[${COUNT - 1}]    ${{ str($COUNT) }}

Names Are Checked
    [Documentation]    One that runs is not started again, and one that does not is not found.
    Start Application    talker    ${TALKER}    prompt=${PROMPT}
    Run Keyword And Expect Error
    ...    Application 'talker' runs already*
    ...    Start Application    talker    ${TALKER}
    Run Keyword And Expect Error
    ...    There is no application 'tolker'. Did you mean 'talker'?*
    ...    Send To Application    tolker    hello
    Run Keyword And Expect Error
    ...    '../x' is not a name for an application*
    ...    Start Application    ../x    true

An Application Of A VM That Is Gone Says So
    [Documentation]    The VM is the better explanation.
    Start Application    talker    ${TALKER}    prompt=${PROMPT}    vm=vm0
    Kill VM    vm0
    Run Keyword And Expect Error    *has ended*    Send To Application    talker    hello
    Run Keyword And Expect Error
    ...    VM 'vm0' is stopped*
    ...    Start Application    other    ${TALKER}    vm=vm0


*** Keywords ***
Boot A Guest
    [Documentation]    With SSH, over which applications in it are reached.
    Create VM    vm0    mem=size=256
    Start VM    vm0    timeout=${PATIENCE}

Application Should Be Talked To
    [Documentation]    Every keyword once.
    [Arguments]    ${vm}
    ${welcome} =    Start Application    talker    ${TALKER}    prompt=${PROMPT}    vm=${vm}    timeout=${PATIENCE}
    Should Be Equal    ${welcome}    welcome
    ${answer} =    Send To Application    talker    hello
    Should Be Equal    ${answer}    you said hello
    Application Should Be Waited For
    Application Should Be Running    talker
    ${code} =    Stop Application    talker    quit
    Should Be Equal As Integers    ${code}    7
    Transcript Should Be Whole

Application Should Be Waited For
    [Documentation]    By another prompt, and by what it prints.
    ${answer} =    Send To Application    talker    regular    prompt=REGEXP:^read[xy]>
    Should Be Equal    ${answer}    you said regular
    Send To Application    talker    not waited for    prompt=${EMPTY}
    Wait Until Application Prints    talker    regexp=said not \\w+ for
    Wait Until Application Prints    talker    ${PROMPT}
    ${rest} =    Read Application Output    talker
    Should Be Equal    ${rest.strip()}    ${EMPTY}

Transcript Should Be Whole
    [Documentation]    From the first word to the last.
    ${transcript} =    Get Transcript    talker
    Should Start With    ${transcript}    welcome\nready>
    Should End With    ${transcript}    quit\n

Get Transcript
    [Documentation]    Returns the newest transcript of an application.
    [Arguments]    ${name}
    @{files} =    OperatingSystem.List Files In Directory
    ...    ${OUTPUT_DIR}/applications    ${name}-*.log    absolute=True
    ${newest} =    Evaluate    max($files, key=os.path.getmtime)
    ${text} =    OperatingSystem.Get File    ${newest}
    RETURN    ${text}
