# What every engine of a lab has in store: the image busybox:lab, also as a file and in the registry, and the network cluster.
set -eu
mkdir -p /run/image/bin /run/image/etc /run/image/root /run/image/tmp
cd /run/image
cp /bin/busybox bin/
for name in $(bin/busybox --list); do [ "$name" = busybox ] || ln -s busybox "bin/$name"; done
echo root:x:0:0:root:/root:/bin/sh >etc/passwd
echo root:x:0: >etc/group
# The default command is a service as one would wish: it says that it is ready, and ends at once when asked to.
cat >bin/serve <<'SERVE'
#!/bin/sh
trap 'echo bye; exit 0' TERM
echo ready
while :; do sleep 86400 & wait $!; done
SERVE
chmod 755 bin/serve
tar -c . | docker import --change 'CMD ["serve"]' --change 'ENV PATH=/bin' - busybox:lab
docker save -o /run/busybox.tar busybox:lab
docker tag busybox:lab 10.77.0.254:5000/busybox:lab
docker push -q 10.77.0.254:5000/busybox:lab
docker rmi 10.77.0.254:5000/busybox:lab
docker network create --subnet 10.100.0.0/16 --gateway 10.100.255.254 cluster
systemctl stop docker
