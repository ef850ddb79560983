*** Settings ***
Documentation       VMs that start from a template of the ready guest: clones are VMs as any
...                 other, what must be their own is their own, and what cannot serve is not
...                 used.

Resource            resources/common.resource
Library             Process
Library             SSHLibrary

Suite Setup         Use Templates Of Our Own
Suite Teardown      Leave No Templates
Test Teardown       Stop All VMs    timeout=0 s

Test Tags           warm    both-versions


*** Test Cases ***
The First Start Makes A Template And Is A Clone Of It
    [Documentation]    The log says what it cost; the session is that of any start.
    Create VM    vm0
    ${session} =    Start VM    vm0    warm=True
    Stages Should Be Those Of A Clone    ${session}
    Should Be Equal    ${session.ip}    10.0.2.15
    ${templates} =    List VM Templates
    Length Should Be    ${templates}    1
    Should Be Equal    ${templates[0].vm}    vm0
    Should Start With    ${templates[0].description}    guest default, 512 MiB, 1 CPU
    Should Be True    ${templates[0].size} < 200000000

Clones Have A Name And A Port Of Their Own
    [Documentation]    Two at once, made of one template.
    Create VM    vm1
    Create VM    vm2
    ${one} =    Start VM    vm1    warm=True
    ${two} =    Start VM    vm2    warm=True
    Stages Should Be Those Of A Clone    ${one}
    Should Not Be Equal    ${one.port}    ${two.port}
    Name Of Guest Should Be    vm1
    Name Of Guest Should Be    vm2
    ${templates} =    List VM Templates
    Length Should Be    ${templates}    1

Clones Have A Clock And Random Numbers Of Their Own
    [Documentation]    The kernel hears that it was cloned.
    Create VM    vm1
    Create VM    vm2
    Start VM    vm1    warm=True    wait_for=agent
    Start VM    vm2    warm=True    wait_for=agent
    ${one} =    Get Random Number    vm1
    ${two} =    Get Random Number    vm2
    Should Not Be Equal    ${one}    ${two}
    Clock Of Guest Should Be Right    vm1
    Clock Of Guest Should Be Right    vm2

Clones Have An Identity Of Their Own If Asked To
    [Documentation]    Four clones of one template: two with SSH host key and machine id of their
    ...    own, and two that are as their template. The keys are those that the servers show.
    ${key1}    ${id1} =    Get Identity Of New Clone    vm1    fresh_identity=True
    ${key2}    ${id2} =    Get Identity Of New Clone    vm2    fresh_identity=True
    ${key3}    ${_} =    Get Identity Of New Clone    vm3
    ${key4}    ${_} =    Get Identity Of New Clone    vm4
    Should Be Equal    ${key3}    ${key4}
    Should Be True    len({$key1, $key2, $key3}) == 3 and $id1 != $id2
    Should Match Regexp    ${id1}    ^[0-9a-f]{32}$
    ${templates} =    List VM Templates
    Length Should Be    ${templates}    1

What One Clone Does No Other Sees
    [Documentation]    Neither those that run nor those that come.
    Create VM    vm1
    Create VM    vm2
    Start VM    vm1    warm=True
    Execute In Guest    vm1    echo mine >/root/mark; sync    expected_rc=${0}
    Start VM    vm2    warm=True
    Execute In Guest    vm2    test -e /root/mark    expected_rc=${1}

A Clone Takes Devices And Tells Where They Are
    [Documentation]    PCI mapping and hot plug.
    Create VM    vm0
    Start VM    vm0    warm=True    wait_for=agent
    ${mapping} =    Get VM PCI Mapping    vm0
    Should Be Equal    ${mapping}[host-connect-nic]    0000:00:1f.0
    ${id} =    Add VM Device    vm0    driver=virtio-balloon-pci    addr=0x10
    Wait Until Keyword Succeeds    20 s    0.2 s    Guest Should Have Virtio Devices    vm0    4
    Remove VM Device    vm0    ${id}

A Card On A Bridge Is The Clone's Own
    [Documentation]    It is plugged in after the template's state is loaded, with its address, and
    ...    the guest has it when the keyword returns.
    Create VM    vm0    net=type=nic,opt_model=virtio;type=user
    Add VM Net    vm0    type=bridge    opt_br=warm-br0    opt_model=virtio    opt_name=inside
    ${session} =    Start VM    vm0    warm=True    wait_for=agent
    Stages Should Be Those Of A Clone    ${session}
    Dictionary Should Contain Key    ${session.interfaces}    eth0
    ${mapping} =    Get VM PCI Mapping    vm0
    Dictionary Should Contain Key    ${mapping}    inside

A Clone Reboots And Stops As Any Other VM
    [Documentation]    It boots from its kernel then, under its own name.
    Create VM    vm0
    Start VM    vm0    warm=True
    ${before} =    Get Boot Of Guest    vm0
    Reboot Guest    vm0
    ${after} =    Get Boot Of Guest    vm0
    Should Not Be Equal    ${before}    ${after}
    Name Of Guest Should Be    vm0
    ${stage} =    Stop VM    vm0
    Should Be Equal    ${stage.value}    guest agent shutdown

A Clone's Disk Begins As The Template's And The Image Stays As It Is
    [Documentation]    The clone writes to an overlay of its own; so does the next one.
    VAR    ${image}    ${OUTPUT_DIR}/warm.img
    Create Binary File    ${image}    ${{ b'image' + bytes(8 * 2**20 - 5) }}
    FOR    ${name}    IN    vm1    vm2
        Create VM    ${name}    disk=file=${image}    guest=default
        Start VM    ${name}    warm=True    wait_for=agent
        ${result} =    Execute In Guest    ${name}    head -c 5 /dev/vda
        Should Be Equal    ${result.stdout}    image
        Execute In Guest    ${name}    echo other >/dev/vda; sync    expected_rc=${0}
    END
    ${bytes} =    Get Binary File    ${image}
    Should Be Equal    ${bytes}[:5]    ${{ b'image' }}

A Template Is Made Ahead And Removed
    [Documentation]    Another specification has another one; clones run on without theirs.
    Create VM    vm0    mem=size=320
    Save VM Template    vm0
    VM Should Have Status    vm0    stopped
    ${session} =    Start VM    vm0    warm=True    wait_for=agent
    Stages Should Be Those Of A Clone    ${session}
    ${first} =    Remove VM Template    vm0
    ${second} =    Remove VM Template    vm0
    Should Be True    ${first} and not ${second}
    Guest Should Answer    vm0

A Template Can Lie On Disk
    [Documentation]    Where the tester wants it, or where memory has no room; clones map it there.
    [Setup]    Set Environment Variable    DTSVIRT_TEMPLATES    ${OUTPUT_DIR}/templates
    Create VM    vm0    mem=size=320
    FOR    ${_}    IN RANGE    2
        ${session} =    Start VM    vm0    warm=True    wait_for=agent
        Stages Should Be Those Of A Clone    ${session}
        Stop VM    vm0    timeout=0 s
    END
    ${templates} =    List VM Templates
    Should Start With    ${templates[0].directory}    ${OUTPUT_DIR}/templates/
    [Teardown]    Use Templates In Memory Again

A Running VM Becomes The Template
    [Documentation]    As it is now, with what it has in memory and on its disk; it runs on, and the
    ...    image stays as it is. The chain of overlays does not grow: the former template may go.
    ${image} =    Make Empty Image    ${OUTPUT_DIR}/running.img
    Create VM    vm1    disk=file=${image}    guest=default
    Start VM    vm1    warm=True
    Execute In Guest    vm1    echo memory >/run/mark; echo disk >/dev/vda; sync    expected_rc=${0}
    Save VM Template    vm1
    Name Of Guest Should Be    vm1
    Execute In Guest    vm1    rm /run/mark; echo later >/dev/vda; sync    expected_rc=${0}
    Create VM    vm2    disk=file=${image}    guest=default
    Clone Should Have The Marks    vm2
    Image Should Be Empty    ${image}

What Becomes The Template Holds Nothing Of One In Between
    [Documentation]    Two clones of one template are saved one after the other: the latter has its
    ...    own disk, and not the former's, though that had taken the template's place. What it saves
    ...    again adds to what it has saved.
    ${image} =    Make Empty Image    ${OUTPUT_DIR}/between.img
    Start Clone With Disk    vm1    ${image}
    Start Clone With Disk    vm2    ${image}
    Save With Mark On Disk    vm1    one    4
    Save With Mark On Disk    vm2    two    5
    Start Clone With Disk    vm3    ${image}
    Save With Mark On Disk    vm3    three    6
    Start Clone With Disk    vm4    ${image}
    ${found} =    Execute In Guest    vm4    dd if=/dev/vda bs=1M skip=4 | tr -d '\\0'
    Should Be Equal    ${found.stdout}    two\nthree\n

A VM That Was Started Cold Becomes No Template While It Runs
    [Documentation]    And one with other devices neither; both run on.
    Create VM    vm0
    Start VM    vm0    warm=False    wait_for=process
    Run Keyword And Expect Error
    ...    VM 'vm0' was started cold*Start it with warm=True*
    ...    Save VM Template    vm0
    Create VM    vm1
    Start VM    vm1    warm=True    wait_for=agent
    ${id} =    Add VM Device    vm1    driver=virtio-balloon-pci
    Run Keyword And Expect Error
    ...    VM 'vm1' has other devices than its template: ${id} came or went.*
    ...    Save VM Template    vm1
    VM Should Be Running    vm1

A Broken Template Is Discarded
    [Documentation]    And made anew, so that the VM starts all the same.
    Create VM    vm0    mem=size=320
    Save VM Template    vm0
    ${templates} =    List VM Templates
    Run Process    truncate    -s    -1    ${templates[0].directory}/state
    ${session} =    Start VM    vm0    warm=True    wait_for=agent
    Stages Should Be Those Of A Clone    ${session}
    Remove VM Template    vm0

Where No Template Can Serve The VM Boots Cold
    [Documentation]    Without an agent nobody could set the clone's clock.
    Create VM    vm0    qga=enable=no
    ${session} =    Start VM    vm0    warm=True
    Should Be Equal    ${session.stages[2].name}    CPUs started
    ${name} =    Execute Command    hostname
    Should Be Equal    ${name}    vm0

The Configuration Can Ask For It
    [Documentation]    The keyword's argument has the last word.
    Create VM    vm0    warm=enable=yes
    ${session} =    Start VM    vm0
    Stages Should Be Those Of A Clone    ${session}
    Stop VM    vm0    timeout=0 s
    ${session} =    Start VM    vm0    warm=False    wait_for=process
    Should Be Equal    ${session.stages[2].name}    CPUs started

Several Start Side By Side
    [Documentation]    Each has its session; one that does not come up fails the keyword alone.
    ...    Their template is missing, and one of them makes it for both.
    Create VM    vm1    mem=size=352
    Create VM    vm2    mem=size=352
    ${guests} =    Start VMs    vm1    vm2    warm=True
    Stages Should Be Those Of A Clone    ${guests['vm1']}
    Stages Should Be Those Of A Clone    ${guests['vm2']}
    Name Of Guest Should Be    vm1
    Name Of Guest Should Be    vm2
    Create VM    vm3
    Run Keyword And Expect Error
    ...    VM 'vm2' is already running*
    ...    Start VMs    vm3    vm2    warm=True    wait_for=agent
    VM Should Be Running    vm3

What The Host Has No Memory For Is Not Started
    [Documentation]    The numbers are in the message.
    Create VM    vm1    mem=size=4000000
    Run Keyword And Expect Error
    ...    VM 'vm1': Nothing was started: 4000000 MiB of memory are needed, and*MiB in all. Give the VMs*
    ...    Start VM    vm1    warm=False
    ${status} =    Get VM Status    vm1
    Should Be Equal    ${status}    created

A Snapshot Brings The Guest Back
    [Documentation]    Files made since are gone; process and login are not.
    Create VM    vm0
    Start VM    vm0    warm=True
    ${before} =    Get VM    vm0
    Save VM Snapshot    vm0    clean
    FOR    ${_}    IN RANGE    2
        Execute Command    touch /root/later
        Restore VM Snapshot    vm0    clean
    END
    ${found} =    Execute Command    ls /root
    Should Not Contain    ${found}    later
    ${after} =    Get VM    vm0
    Should Be Equal    ${before.pid}    ${after.pid}

A Snapshot That Is Not There Is Not Restored
    [Documentation]    The message offers the nearest; the clock is right after one that is.
    Create VM    vm0
    Start VM    vm0    warm=True    wait_for=agent
    Save VM Snapshot    vm0    clean
    Run Keyword And Expect Error
    ...    VM 'vm0' has no snapshot 'cleen'. Did you mean 'clean'?*
    ...    Restore VM Snapshot    vm0    cleen
    Restore VM Snapshot    vm0    clean
    Clock Of Guest Should Be Right    vm0


*** Keywords ***
Use Templates Of Our Own
    [Documentation]    So that the suite makes its own, and removes none of the tester's.
    ${directory} =    Evaluate    tempfile.mkdtemp(prefix='dtsvirt-templates-', dir='/dev/shm')
    Set Environment Variable    DTSVIRT_TEMPLATES    ${directory}
    VAR    ${PLACE}    ${directory}    scope=SUITE

Use Templates In Memory Again
    [Documentation]    After a test that had them on disk.
    Stop All VMs    timeout=0 s
    OperatingSystem.Remove Directory    ${OUTPUT_DIR}/templates    recursive=True
    Set Environment Variable    DTSVIRT_TEMPLATES    ${PLACE}

Leave No Templates
    [Documentation]    They would keep memory from others.
    Stop All VMs    timeout=0 s
    OperatingSystem.Remove Directory    %{DTSVIRT_TEMPLATES}    recursive=True
    Remove Environment Variable    DTSVIRT_TEMPLATES

Stages Should Be Those Of A Clone
    [Documentation]    It was not booted: its state was loaded.
    [Arguments]    ${session}
    ${names} =    Evaluate    [stage.name for stage in $session.stages]
    Should Be Equal    ${names}[:4]
    ...    ${{ ['process started', 'QMP answered', 'state restored', 'CPUs started'] }}

Make Empty Image
    [Documentation]    Of 8 MiB of zeroes; returns its path.
    [Arguments]    ${path}
    Create Binary File    ${path}    ${{ bytes(8 * 2**20) }}
    RETURN    ${path}

Start Clone With Disk
    [Documentation]    Whose overlay lies over that of the template.
    [Arguments]    ${name}    ${image}
    Create VM    ${name}    disk=file=${image}    guest=default
    ${session} =    Start VM    ${name}    warm=True    wait_for=agent
    Stages Should Be Those Of A Clone    ${session}

Save With Mark On Disk
    [Documentation]    So many MiB behind the beginning, which the guest's kernel has read already.
    [Arguments]    ${name}    ${mark}    ${at}
    Execute In Guest    ${name}    echo ${mark} | dd of=/dev/vda bs=1M seek=${at} && sync    expected_rc=${0}
    Save VM Template    ${name}

Image Should Be Empty
    [Documentation]    Nothing but zeroes still.
    [Arguments]    ${path}
    ${bytes} =    Get Binary File    ${path}
    Should Be True    not any($bytes)

Clone Should Have The Marks
    [Documentation]    Those that a running VM had when it became the template.
    [Arguments]    ${name}
    ${session} =    Start VM    ${name}    warm=True
    Stages Should Be Those Of A Clone    ${session}
    Name Of Guest Should Be    ${name}
    ${result} =    Execute In Guest    ${name}    cat /run/mark; head -c 4 /dev/vda
    Should Be Equal    ${result.stdout}    memory\ndisk

Clock Of Guest Should Be Right
    [Documentation]    Within a few seconds of the host's.
    [Arguments]    ${name}
    ${result} =    Execute In Guest    ${name}    date +%s
    Should Be True    abs(int($result.stdout) - time.time()) < 10

Guest Should Have Virtio Devices
    [Documentation]    The bus has numbered what was plugged in.
    [Arguments]    ${name}    ${number}
    ${result} =    Execute In Guest    ${name}    ls /sys/bus/virtio/devices | wc -l
    Should Be Equal As Integers    ${result.stdout}    ${number}

Name Of Guest Should Be
    [Documentation]    Asked for by SSH; alias and name are one.
    [Arguments]    ${name}
    Switch Connection    ${name}
    ${found} =    Execute Command    hostname
    Should Be Equal    ${found}    ${name}

Get Identity Of New Clone
    [Documentation]    Starts a clone; returns the SSH host key that it shows, and its machine id.
    [Arguments]    ${name}    &{how}
    Create VM    ${name}
    ${session} =    Start VM    ${name}    warm=True    &{how}
    Stages Should Be Those Of A Clone    ${session}
    Name Of Guest Should Be    ${name}
    ${key} =    Get SSH Host Key    ${session.port}
    ${result} =    Execute In Guest    ${name}    cat /etc/machine-id
    RETURN    ${key}    ${result.stdout.strip()}

Get SSH Host Key
    [Documentation]    Returns the ed25519 key that the server at a port of this machine shows.
    [Arguments]    ${port}
    ${result} =    Run Process    ssh-keyscan    -T    60    -t    ed25519    -p    ${port}    127.0.0.1
    ...    timeout=${PATIENCE}
    Should Match Regexp    ${result.stdout}    ssh-ed25519    ${result.stderr}
    RETURN    ${result.stdout.split()[-1]}

Get Random Number
    [Documentation]    Returns what the guest's kernel draws.
    [Arguments]    ${name}
    ${result} =    Execute In Guest    ${name}    xxd -l 16 -p /dev/urandom    expected_rc=${0}
    RETURN    ${result.stdout}

VM Should Have Status
    [Documentation]    One of the words of Get VM Status.
    [Arguments]    ${name}    ${expected}
    ${status} =    Get VM Status    ${name}
    Should Be Equal    ${status}    ${expected}
