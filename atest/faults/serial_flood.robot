*** Settings ***
Documentation       A guest that never stops writing to its serial console: the log of it is cut, and
...                 the guest is not held up.

Resource            ../resources/common.resource
Library             ../resources/Failures.py

Suite Teardown      Stop All VMs    timeout=0 s

Test Timeout        5 min

Test Tags           faults    fault-76


*** Test Cases ***
The Log Of A Flood Loses Its Middle
    [Documentation]    Its first megabyte stays, and what comes now.
    ${log} =    Start A Flood    vm0
    Wait Until Keyword Succeeds    4 min    0.2 s    Log Should Have Lost Its Middle    ${log}
    VM Should Be Running    vm0
    ${size} =    Get File Size    ${log}
    Should Be True    ${size} < 9 * 2 ** 20
    Wait Until Keyword Succeeds    1 min    0.1 s    Log Should Differ From    ${log}    ${size}
    ${stage} =    Stop VM    vm0    timeout=0
    Should Be Equal    ${stage.value}    QMP quit

A Reader Who Stops Holds Up The Console Alone
    [Documentation]    Who connects to the serial socket and does not read lets whoever writes to the
    ...    console wait, and nobody else; when the reader goes, all goes on.
    Create VM    vm1    serial=type=socket
    Start VM    vm1    wait_for=agent    warm=${True}
    ${log} =    Get Serial Log    vm1
    ${reader} =    Evaluate    (s := socket.socket(socket.AF_UNIX), s.connect($log[:-3] + 'sock'))[0]
    ...    modules=socket
    Should Fail Saying    AgentTimeout    VM 'vm1': 'seq 9999 > /dev/ttyS0' did not end in the guest within *
    ...    Execute In Guest    vm1    seq 9999 > /dev/ttyS0    timeout=2 s
    Guest Should Answer    vm1
    Evaluate    $reader.close()
    Execute In Guest    vm1    seq 9999 > /dev/ttyS0    expected_rc=${0}    timeout=${PATIENCE}
    ${text} =    Get File    ${log}
    Should Contain    ${text}    9999


*** Keywords ***
Start A Flood
    [Documentation]    Returns the log of it.
    [Arguments]    ${vm}
    ${image} =    Make Flooding Image    ${OUTPUT_DIR}/flood.raw
    Create VM    ${vm}    disk=${{ {'file': $image, 'format': 'raw'} }}    mem=size=64
    Start VM    ${vm}    wait_for=process    warm=False
    ${path} =    Get Serial Log    ${vm}
    RETURN    ${path}

Get Serial Log
    [Documentation]    Returns the file that QEMU writes it to.
    [Arguments]    ${vm}
    ${found} =    Get VM    ${vm}
    ${path} =    Evaluate
    ...    re.search(r'(?:path|logfile)=([^,]*serial.log)', pathlib.Path('/proc/${found.pid}/cmdline').read_text())[1]
    ...    modules=pathlib, re
    RETURN    ${path}

Log Should Have Lost Its Middle
    [Documentation]    Which it says behind its first megabyte.
    [Arguments]    ${log}
    ${words} =    Evaluate    os.pread((f := open($log, 'rb')).fileno(), 100, 2 ** 20)    modules=os
    Should Contain    ${words}    bytes were dropped here

Log Should Differ From
    [Documentation]    The guest writes on.
    [Arguments]    ${log}    ${size}
    ${now} =    Get File Size    ${log}
    Should Not Be Equal    ${now}    ${size}
