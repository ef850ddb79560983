*** Settings ***
Documentation       What was asked for is what the guest finds: processors, memory, cards, disks.
...                 Two machines of both types run side by side and read the same images.

Resource            resources/guest.resource
Library             Process

Suite Setup         Start Both Machines
Suite Teardown      Stop Machines And Remove Images

Test Tags           devices    both-versions


*** Variables ***
# What a guest finds when it boots is tested, not what a template kept of it.
${WARM}                 ${FALSE}    # robocop: off=VAR02
${IMAGES}               ${OUTPUT_DIR}/machine-images
${E1000_MAC}            52:54:00:11:22:01
${RTL8139_MAC}          52:54:00:11:22:02
${VIRTIO_MAC}           52:54:00:11:22:03
${E1000E_MAC}           52:54:00:11:22:04
# By machine: what its own images hold, and its disks.
&{RAW_DIGESTS}          &{EMPTY}
&{QCOW2_DIGESTS}        &{EMPTY}
&{DISKS}                &{EMPTY}
# Where each machine type has its own IDE or SATA controller.
&{IDE_CONTROLLERS}      pc=0000:00:01.1    q35=0000:00:1f.2


*** Test Cases ***
The Guest Has The Processors That Were Asked For
    [Documentation]    By their number alone, and by sockets, cores and threads. No more than two: a
    ...    guest with more processors than the host has lost a timer under emulation once.
    ${count} =    Ask Guest    pc    nproc
    Should Be Equal As Integers    ${count}    2
    ${count} =    Ask Guest    q35    nproc
    Should Be Equal As Integers    ${count}    2
    ${sockets} =    Ask Guest    q35    sort -u /proc/cpuinfo | grep -c "^physical id"
    Should Be Equal As Integers    ${sockets}    2
    ${siblings} =    Ask Guest    q35    sort -u /proc/cpuinfo | grep "^siblings"
    Should End With    ${siblings}    : 1

The Guest Has The Memory That Was Asked For
    [Documentation]    Less what its kernel keeps for itself, a sixth at most.
    FOR    ${vm}    ${mebibytes}    IN    pc    ${320}    q35    ${512}
        ${text} =    Ask Guest    ${vm}    grep MemTotal /proc/meminfo
        ${found} =    Evaluate    int($text.split()[1]) / 1024
        Should Be True    ${mebibytes} * 5 / 6 < ${found} < ${mebibytes}
    END

Each Card Has Its Driver And Its Address
    [Documentation]    The models of real cards and virtio, on both machine types.
    [Template]    Card Should Be Driven By
    pc    ${E1000_MAC}    e1000
    pc    ${RTL8139_MAC}    8139cp
    q35    ${VIRTIO_MAC}    virtio_net
    q35    ${E1000E_MAC}    e1000e

A Newer QEMU Has A Card With Virtual Functions
    [Documentation]    The igb came with QEMU 8; before that it is refused, with the version.
    ${version} =    Get QEMU Version
    IF    int($version.split('.')[0]) >= 8
        Card Should Be Driven By    q35    ${IGB_MAC}    igb
    ELSE
        Create VM    igb    machine=machine=q35    net=type=nic,opt_model=igb;type=user
        Run Keyword And Expect Error
        ...    VM 'igb': QEMU ${version} has no device 'igb'*
        ...    Get VM Command Line    igb
    END

A Card Is At The Slot That Was Asked For
    [Documentation]    As the guest sees it.
    ${address} =    Get Guest PCI Address    pc    chosen
    Should Be Equal    ${address}    0000:00:0a.0
    ${mac} =    Ask Guest    pc    cat /sys/bus/pci/devices/0000:00:0a.0/net/*/address
    Should Be Equal    ${mac}    ${E1000_MAC}

The Control Card Is Named By Its Place
    [Documentation]    On pc at slot 1f, as guests of old expect it; on q35, where that slot is
    ...    taken, beside it. The default pair is an e1000 there.
    ${address} =    Get Guest PCI Address    pc    host-connect-nic
    Should Be Equal    ${address}    0000:00:1f.0
    ${address} =    Get Guest PCI Address    q35    host-connect-nic
    Should Be Equal    ${address}    0000:00:1e.0
    ${name} =    Ask Guest    q35    ls /sys/bus/pci/devices/0000:00:1e.0/net
    Should Be Equal    ${name}    host_connect
    ${driver} =    Ask Guest    q35    readlink /sys/class/net/host_connect/device/driver
    Should End With    ${driver}    /e1000
    ${ip} =    Get VM IP    q35
    Should Be Equal    ${ip}    10.0.2.15

A Card Has The Vectors That Were Asked For
    [Documentation]    Two are fewer than its queues would like, so it shares them.
    ${address} =    Get Guest PCI Address    q35    few-vectors
    ${count} =    Ask Guest    q35    ls /sys/bus/pci/devices/${address}/msi_irqs | wc -l
    Should Be Equal As Integers    ${count}    2

Every Mapped Device Is In The Guest
    [Documentation]    At the address that the mapping says.
    FOR    ${vm}    IN    pc    q35
        ${mapping} =    Get VM PCI Mapping    ${vm}
        Should Not Be Empty    ${mapping}
        FOR    ${id}    ${address}    IN    &{mapping}
            Ask Guest    ${vm}    test -d /sys/bus/pci/devices/${address} && echo ${id}
        END
    END

Disks Are Read Through Every Interface And Format
    [Documentation]    The guest reads the bytes that the images hold.
    FOR    ${vm}    IN    pc    q35
        ${virtio} =    Get Guest PCI Address    ${vm}    base
        ${scsi} =    Get Guest PCI Address    ${vm}    scsi0
        FOR    ${address}    ${digest}    IN
        ...    ${virtio}    ${BASE_DIGEST}
        ...    ${IDE_CONTROLLERS}[${vm}]    ${RAW_DIGESTS}[${vm}]
        ...    ${scsi}    ${QCOW2_DIGESTS}[${vm}]
            ${disk} =    Get Guest Disk Behind    ${vm}    ${address}
            Device Should Hold    ${vm}    ${disk}    ${digest}
        END
    END

Both Machines Read The Same CD
    [Documentation]    On IDE and on SCSI; neither can write to it.
    FOR    ${vm}    IN    pc    q35
        Wait Until In Guest    ${vm}    test -e /sys/block/sr0
        Device Should Hold    ${vm}    sr0    ${CD_DIGEST}
        ${result} =    Execute In Guest    ${vm}    dd if=/dev/zero of=/dev/sr0 bs=2048 count=1
        Should Not Be Equal As Integers    ${result.rc}    0
    END

What Is Written Goes To The Image Or To Its Overlay
    [Documentation]    Both machines write to a disk with the same base, each sees its own
    ...    writing, and the base stays as it was. A disk without an overlay is written to.
    FOR    ${vm}    IN    pc    q35
        ${virtio} =    Get Guest PCI Address    ${vm}    base
        ${disk} =    Get Guest Disk Behind    ${vm}    ${virtio}
        Write In Guest    ${vm}    ${disk}    overlay of ${vm}
    END
    ${disk} =    Get Guest Disk Behind    pc    ${IDE_CONTROLLERS}[pc]
    Write In Guest    pc    ${disk}    image of pc
    Stop All VMs
    ${digest} =    Get Digest    ${IMAGES}/base.qcow2
    Should Be Equal    ${digest}    ${BASE_FILE_DIGEST}
    ${head} =    Evaluate    open($IMAGES + '/pc.raw', 'rb').read(11)
    Should Be Equal    ${head}    ${{ b'image of pc' }}


*** Keywords ***
Start Both Machines
    [Documentation]    They differ in all that can be asked for.
    Create Images
    ${cards_of_pc} =    Catenate    SEPARATOR=;
    ...    type=nic,opt_model=virtio,opt_addr=1f
    ...    type=user
    ...    type=nic,opt_vlan=1,opt_macaddr=${E1000_MAC},opt_addr=0a,opt_name=chosen
    ...    type=user,opt_vlan=1
    ...    type=nic,opt_vlan=2,opt_model=rtl8139,opt_macaddr=${RTL8139_MAC}
    ...    type=user,opt_vlan=2
    Create VM    pc
    ...    machine=machine=pc    cpu=number=2    mem=size=320    guest=flavour=default
    ...    net=${cards_of_pc}    disk=${DISKS}[pc]
    ${cards_of_q35} =    Catenate    SEPARATOR=;
    ...    type=nic
    ...    type=user
    ...    type=nic,opt_vlan=1,opt_model=virtio,opt_macaddr=${VIRTIO_MAC},opt_vectors=2,opt_name=few-vectors
    ...    type=user,opt_vlan=1
    ...    type=nic,opt_vlan=2,opt_model=e1000e,opt_macaddr=${E1000E_MAC}
    ...    type=user,opt_vlan=2
    ${version} =    Get QEMU Version
    IF    int($version.split('.')[0]) >= 8
        VAR    ${IGB_MAC}    52:54:00:11:22:05    scope=SUITE
        VAR    ${cards_of_q35}
        ...    ${cards_of_q35};type=nic,opt_vlan=3,opt_model=igb,opt_mac=${IGB_MAC};type=user,opt_vlan=3
    END
    Create VM    q35
    ...    machine=machine=q35    cpu=sockets=2,cores=1,threads=1    mem=size=512M
    ...    guest=flavour=default    net=${cards_of_q35}    disk=${DISKS}[q35]
    FOR    ${vm}    IN    pc    q35
        Start VM    ${vm}
        Wait Until Drivers Are Loaded    ${vm}
    END

Create Images
    [Documentation]    One base and one CD for both machines, and for each a raw and a qcow2 image.
    Create Directory    ${IMAGES}
    ${digest} =    Create Random Image    ${IMAGES}/base.raw    3
    VAR    ${BASE_DIGEST}    ${digest}    scope=SUITE
    Convert To QCOW2    ${IMAGES}/base.raw    ${IMAGES}/base.qcow2
    ${digest} =    Get Digest    ${IMAGES}/base.qcow2
    VAR    ${BASE_FILE_DIGEST}    ${digest}    scope=SUITE
    ${digest} =    Create Random Image    ${IMAGES}/cd.iso    1
    VAR    ${CD_DIGEST}    ${digest}    scope=SUITE
    Create Images Of    pc    ide
    Create Images Of    q35    scsi

Create Images Of
    [Documentation]    A raw and a qcow2 image of the machine's own; `cd` is where its CD is.
    [Arguments]    ${vm}    ${cd}
    ${digest} =    Create Random Image    ${IMAGES}/${vm}.raw    2
    Set To Dictionary    ${RAW_DIGESTS}    ${vm}=${digest}
    ${digest} =    Create Random Image    ${IMAGES}/${vm}-scsi.raw    1
    Set To Dictionary    ${QCOW2_DIGESTS}    ${vm}=${digest}
    Convert To QCOW2    ${IMAGES}/${vm}-scsi.raw    ${IMAGES}/${vm}-scsi.qcow2
    ${entries} =    Catenate    SEPARATOR=;
    ...    file=${IMAGES}/base.qcow2,overlay=yes,opt_id=base
    ...    file=${IMAGES}/${vm}.raw,opt_if=ide
    ...    file=${IMAGES}/${vm}-scsi.qcow2,opt_format=qcow2,opt_if=scsi
    ...    file=${IMAGES}/cd.iso,opt_if=${cd},opt_media=cdrom
    Set To Dictionary    ${DISKS}    ${vm}=${entries}

Convert To QCOW2
    [Documentation]    Makes a qcow2 image of a raw one.
    [Arguments]    ${raw}    ${qcow2}
    ${result} =    Run Process    qemu-img    convert    -f    raw    -O    qcow2    ${raw}    ${qcow2}
    Should Be Equal As Integers    ${result.rc}    0    ${result.stderr}

Card Should Be Driven By
    [Documentation]    The guest has a card with this address and driver.
    [Arguments]    ${vm}    ${mac}    ${driver}
    ${interface} =    Get Guest Interface By MAC    ${vm}    ${mac}
    ${found} =    Ask Guest    ${vm}    readlink -f /sys/class/net/${interface}/device/driver
    Should End With    ${found}    /${driver}

Device Should Hold
    [Documentation]    The bytes of a block device of the guest have this digest.
    [Arguments]    ${vm}    ${device}    ${digest}
    ${found} =    Ask Guest    ${vm}    sha256sum /dev/${device}
    Should Start With    ${found}    ${digest}

Write In Guest
    [Documentation]    Writes a text to the beginning of a block device, and reads it back.
    [Arguments]    ${vm}    ${device}    ${text}
    Ask Guest    ${vm}    printf %s "${text}" | dd of=/dev/${device} conv=notrunc,fsync 2>&1
    ${length} =    Get Length    ${text}
    ${found} =    Ask Guest    ${vm}    head -c ${length} /dev/${device}
    Should Be Equal    ${found}    ${text}

Stop Machines And Remove Images
    [Documentation]    Random images do not compress, and say nothing later.
    Stop All VMs
    Remove Directory    ${IMAGES}    recursive=yes
