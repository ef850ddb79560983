*** Settings ***
Documentation       A VM that boots from a disk, prepared and configured as the library's
...                 forerunner had it: a Debian with systemd, loaded from a .cfg file.
...
...                 It takes a minute or more to boot without KVM, so it boots once for its template,
...                 whose clone serves all tests, and once more as that clone.

Resource            resources/common.resource
Resource            resources/guest.resource
Library             Process
Library             SSHLibrary
Library             resources/Pictures.py

Suite Setup         Start VM From Its Disk
Suite Teardown      Stop All VMs    timeout=0 s

Test Tags           disk-guest


*** Variables ***
# Long enough to install a Debian over a slow network.
${BUILD_DEADLINE}       40 min
${EMPTY}                ${OUTPUT_DIR}/empty.raw


*** Test Cases ***
The Session Is Logged In
    [Documentation]    By the key of the cache, which its agent has given it.
    Should Be Equal    ${SESSION.username}    root
    Should End With    ${SESSION.key}    /id_ed25519
    ${who} =    Execute Command    id -un
    Should Be Equal    ${who}    root
    ${release} =    Execute Command    . /etc/os-release && echo $ID
    Should Be Equal    ${release}    debian
    ${init} =    Execute Command    cat /proc/1/comm
    Should Be Equal    ${init}    systemd

No Password Opens It
    [Documentation]    Its port is open to every user of the host, its console to who has the display.
    ${password} =    Ask Guest    vm0    getent shadow root | cut -d: -f2
    Should Be Equal    ${password}    *
    ${key} =    OperatingSystem.Get File    ${SESSION.key}.pub
    ${taken} =    Ask Guest    vm0    cat /root/.ssh/authorized_keys /run/dtsvirt/* 2>/dev/null || true
    Should Be Equal    ${taken}    ${key.strip()}

The Control Card Is Named And Has Its Address
    [Documentation]    By the udev rule for its slot, and by DHCP.
    Should Be Equal    ${SESSION.interfaces['host_connect'].ipv4}    10.0.2.15
    ${answer} =    Execute Command    ifconfig host_connect
    Should Contain    ${answer}    inet 10.0.2.15
    ${slot} =    Execute Command    basename $(readlink /sys/class/net/host_connect/device)
    Should Be Equal    ${slot}    0000:00:1f.0

The Guest Agent Answers
    [Documentation]    And it runs commands.
    Guest Should Answer    vm0

The Machine Is As The File Says
    [Documentation]    Two processors and a gigabyte, of which the kernel keeps a part.
    ${processors} =    Ask Guest    vm0    nproc
    Should Be Equal    ${processors}    2
    ${kibibytes} =    Ask Guest    vm0    awk '/^MemTotal/ {print $2}' /proc/meminfo
    Should Be True    900 * 1024 < ${kibibytes} <= 1024 * 1024

The Display Shows The Console
    [Documentation]    Text on a ground, not one colour.
    ${path} =    Capture VM Screenshot    vm0
    ${picture} =    Read PNG    ${path}
    Should Be True    ${picture.width} >= 640 and ${picture.height} >= 350
    Should Be True    ${picture.colours} >= 2

The Server Shows The Key Of This Guest
    [Documentation]    One that was cloned has made it since its boot; it was asked to.
    ${shown} =    Run Process    ssh-keyscan    -T    60    -t    ed25519    -p    ${SESSION.port}    127.0.0.1
    ${key} =    Ask Guest    vm0    cut -d' ' -f2 /etc/ssh/ssh_host_ed25519_key.pub
    Should End With    ${shown.stdout}    ${SPACE}${key}
    IF    ${WARM}
        ${booted} =    Ask Guest    vm0    awk '/^btime/ {print $2}' /proc/stat
        ${made} =    Ask Guest    vm0    stat -c %Y /etc/ssh/ssh_host_ed25519_key
        Should Be True    ${made} > ${booted}
    END

The Guest Reboots From Its Disk
    [Documentation]    A clone too, which has never booted itself. What it wrote is there.
    ${before} =    Get Boot Of Guest    vm0
    Execute Command    echo kept >/root/kept && sync
    Reboot Guest    vm0    timeout=10 min
    ${after} =    Get Boot Of Guest    vm0
    Should Not Be Equal    ${before}    ${after}
    ${kept} =    Execute Command    cat /root/kept
    Should Be Equal    ${kept}    kept

The Guest Powers Down By Its Agent
    [Documentation]    And the image is as it was: all was written to the overlay.
    ${written} =    Execute Command    echo marked >/root/mark && sync && cat /root/mark
    Should Be Equal    ${written}    marked
    ${stage} =    Stop VM    vm0    timeout=3 min
    Should Be Equal    ${stage.value}    guest agent shutdown
    ${digest} =    Get Digest    ${IMAGE}
    Should Be Equal    ${digest}    ${DIGEST_BEFORE}

The Image Is Listed
    [Documentation]    With what it is made of.
    ${listed} =    Run Process    dtsvirt    guest    list
    Should Be Equal As Integers    ${listed.rc}    ${0}
    Should Match Regexp    ${listed.stdout}    (?m)^debian: \\d+ built
    ${directory} =    Evaluate    str(pathlib.Path($IMAGE).parent)    modules=pathlib
    Should Contain    ${listed.stdout}    ${directory}

An Image That Lacks All Is Told So
    [Documentation]    Nothing boots from an empty disk.
    Create File    ${EMPTY}
    Evaluate    os.truncate($EMPTY, 2 ** 24)    modules=os
    ${checked} =    Run Process    dtsvirt    guest    check    ${EMPTY}    --timeout    3
    Should Be Equal As Integers    ${checked.rc}    ${1}
    Should Match Regexp    ${checked.stdout}    (?m)^missing +guest agent: .*\\n +-> install qemu-guest-agent
    Should Match Regexp    ${checked.stdout}    (?m)^missing +SSH server: .*\\n +-> install openssh-server
    Should Contain    ${checked.stdout}    The image lacks: guest agent, SSH server.


*** Keywords ***
Start VM From Its Disk
    [Documentation]    The image is built once and kept in the cache, outside of this tree.
    ${built} =    Run Process
    ...    dtsvirt
    ...    guest
    ...    build
    ...    --flavour
    ...    debian
    ...    timeout=${BUILD_DEADLINE}
    ...    stderr=${OUTPUT_DIR}/guest-build.log
    Should Be Equal As Integers    ${built.rc}    ${0}    msg=See guest-build.log for why
    VAR    ${IMAGE}    ${built.stdout.splitlines()[-1]}    scope=SUITE
    ${digest} =    Get Digest    ${IMAGE}
    VAR    ${DIGEST_BEFORE}    ${digest}    scope=SUITE
    Write Configuration    ${OUTPUT_DIR}/disk_guest.cfg
    Create VM    vm0    ${OUTPUT_DIR}/disk_guest.cfg
    ${session} =    Start VM    vm0    fresh_identity=True
    VAR    ${SESSION}    ${session}    scope=SUITE

Write Configuration
    [Documentation]    The forerunner's sample, with the path of the image and a free display.
    [Arguments]    ${path}
    ${display} =    Get Free Display Number
    ${sample} =    OperatingSystem.Get File    ${CURDIR}/_data/configs/disk_guest.cfg
    ${text} =    Evaluate    string.Template($sample).substitute(image=$IMAGE, display=$display)
    ...    modules=string
    Create File    ${path}    ${text}
