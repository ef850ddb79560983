*** Settings ***
Documentation       What somebody reads the next morning: the log, and the files beside it.

Resource            resources/common.resource

Suite Setup         Make A Report

Test Timeout        4 min

Test Tags           report


*** Variables ***
# The report is that of a boot, and of one that fails.
${WARM}      ${FALSE}    # robocop: off=VAR02


*** Test Cases ***
The Log Shows The Stages Of Each Start
    [Documentation]    As a table, also of the start that failed.
    ${report} =    OperatingSystem.Get File    ${RUN.output}/output.xml
    FOR    ${stage}    IN    process started    QMP answered    CPUs started
        ${count} =    Evaluate    $report.count('&lt;td&gt;${stage}&lt;/td&gt;')
        Should Be Equal As Integers    ${count}    2
    END
    Should Contain    ${report}    &lt;td&gt;agent answered&lt;/td&gt;
    Should Contain    ${report}    &lt;td&gt;given up&lt;/td&gt;

The Links Of The Log Lead To The Artifacts
    [Documentation]    They are relative, so that the directory can be moved.
    ${links} =    Links Should Lead To Files    ${RUN}
    Should Contain    ${links}    vms/good/start-1/serial.log
    Should Contain    ${links}    vms/bad/start-1/serial.log
    Should Contain    ${links}    vms/bad/start-1/error.txt

The Links Hold In The Log That Pabot Merges
    [Documentation]    Each worker has written its own files; also where pabot gathers them itself.
    FOR    ${options}    IN    ${{ [] }}    ${{ ['--artifacts', 'log,txt', '--artifactsinsubfolders'] }}
        ${run} =    Run Inner Suite    side_by_side    --no-pabotlib    @{options}    runner=pabot
        ${links} =    Links Should Lead To Files    ${run}
        FOR    ${worker}    IN RANGE    2
            Should Contain    ${links}    pabot_results/${worker}/vms/vm0/start-1/serial.log#
        END
        Nothing Should Be Left Of    ${run}
    END

A Failed Start Shows What Was Last Seen
    [Documentation]    The first line says it all, and what was found follows.
    ${message} =    Inner Test Should Have Failed
    ...    ${RUN}
    ...    Fail
    ...    Stages reached: process started
    ...    Serial console, last lines:
    ...    This guest has nothing more to say.
    ...    Artifacts: ${RUN.output}/vms/bad/start-1
    Should Not Contain    ${message}    Message content over the limit has been removed
    Should Match Regexp
    ...    ${message}
    ...    ^VM 'bad': the guest agent did not answer within [5-9]\\.\\d s\\. .*\\n

The Files Tell The Same
    [Documentation]    For those who have no browser at hand.
    ${text} =    OperatingSystem.Get File    ${RUN.output}/vms/bad/start-1/error.txt
    Should Start With    ${text}    VM 'bad': the guest agent did not answer within
    Should Contain    ${text}    Command line:
    ${stages} =    OperatingSystem.Get File    ${RUN.output}/vms/good/start-1/stages.txt
    Should Match Regexp    ${stages}    (?m)^\\d+\\.\\d{3} s agent answered$
    ${transcript} =    OperatingSystem.Get File    ${RUN.output}/vms/good/start-1/qmp.jsonl
    Should Contain    ${transcript}    qmp_capabilities


*** Keywords ***
Make A Report
    [Documentation]    Of one start that succeeds and one that fails.
    ${run} =    Run Inner Suite    report.robot
    Inner Test Should Have Passed    ${run}    Succeed
    VAR    ${RUN}    ${run}    scope=SUITE
