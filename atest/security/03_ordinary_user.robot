*** Settings ***
Documentation       A run of an ordinary user does all that needs no rights of root, and its VMs
...                 are as closed to others, root's left out.

Resource            ../resources/common.resource
Library             Intruders.py
Library             Processes.py

Suite Setup         Start Run Of Ordinary User
Suite Teardown      Remove File    ${GO}

Test Timeout        8 min

Test Tags           security


*** Variables ***
${NOBODY}           65534
# Two users whom no machine has.
${USER}             47111
${STRANGER}         47112


*** Test Cases ***
A VM Of An Ordinary User Is As Closed
    [Documentation]    The stranger tries everything while it runs.
    ${status} =    Get Process Status    ${PID}
    Should Be Equal    ${{ $status['Uid'].split() }}    ${{ [$USER] * 4 }}
    FOR    ${user}    IN    ${STRANGER}    ${NOBODY}
        ${worked} =    Try As User    ${user}    ${FACTS}
        Should Be Empty    ${worked}
    END

The Attempts Are Ones That Work For Its Owner
    [Documentation]    Else the other test would show nothing.
    ${worked} =    Try As User    ${USER}    ${FACTS}    gentle=${True}
    VAR    ${directory}    ${FACTS}[directories][0]
    Dictionary Should Contain Key    ${worked}    connect to ${directory}/serial.sock
    Dictionary Should Contain Key    ${worked}    read ${directory}/serial.log
    Dictionary Should Contain Key    ${worked}    signal ${PID}

What Needs No Rights Of Root Works
    [Documentation]    From the start to the end, cold and warm; what needs them is refused.
    Create File    ${GO}
    Finish Inner Run    ${RUN}
    Inner Test Should Have Passed    ${RUN}
    Should Be Equal As Integers    ${RUN.rc}    0
    ${left} =    List Directory    ${HOME_OF_USER}/runtime
    Should Be Empty    ${left}

What Was Put In The Way Is Not Touched
    [Documentation]    A link in the place of the user's templates: what it leads to stays as it was.
    [Tags]    fault-22    fault-24
    ${found} =    List Directory    ${VICTIM}
    Should Be Equal    ${found}    ${{ ['precious'] }}
    ${text} =    OperatingSystem.Get File    ${VICTIM}/precious
    Should Be Equal    ${text}    precious


*** Keywords ***
Start Run Of Ordinary User
    [Documentation]    With the guest that this run would boot, and a trap of the stranger's.
    ${victim} =    Plant Traps    ${STRANGER}    ${USER}
    VAR    ${VICTIM}    ${victim}    scope=SUITE
    ${go} =    Evaluate    tempfile.mktemp(prefix='go', dir='/tmp')    modules=tempfile
    VAR    ${GO}    ${go}    scope=SUITE
    Create VM    vm0
    ${argv} =    Get VM Command Line    vm0
    ${run}    ${home} =    Start Run As User
    ...    ${USER}
    ...    ${argv}[${{ $argv.index('-kernel') + 1 }}]
    ...    GO:${GO}
    ...    ordinary_user.robot
    ...    without_rights.robot
    VAR    ${RUN}    ${run}    scope=SUITE
    VAR    ${HOME_OF_USER}    ${home}    scope=SUITE
    Find Out What It Has

Find Out What It Has
    [Documentation]    The run says when it has its VM.
    ${pid} =    Wait For Inner Line    ${RUN}    vm0 is process (\\d+)
    VAR    ${PID}    ${pid}    scope=SUITE
    ${directory} =    Get Directory Of VM    ${PID}
    ${facts} =    Files Of VM    ${PID}    ${directory}    ${HOME_OF_USER}
    VAR    ${FACTS}    ${facts}    scope=SUITE
