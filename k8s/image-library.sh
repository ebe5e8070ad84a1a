#!/bin/sh
# Builds one library from Debian's source package in /sources, with its patches and its compiler
# flags, but with only what ESDDNS uses of it. Called by k8s/Dockerfile.
# usage: image-library.sh curl|libmicrohttpd|nng PREFIX
set -eu
package=$1
prefix=$2

# HTTP and HTTPS by OpenSSL. What is left out: every other protocol, GnuTLS, Kerberos, LDAP, SSH,
# HTTP/2, compression, cookies, authentication, and a resolver with threads.
build_curl() {
	./configure -q --prefix="$prefix" --disable-dependency-tracking --disable-static \
		--disable-symbol-hiding --enable-versioned-symbols --with-openssl --enable-ares \
		--with-ca-bundle=/etc/ssl/certs/ca-certificates.crt --with-ca-path=/etc/ssl/certs \
		--disable-dict --disable-file --disable-ftp --disable-gopher --disable-imap \
		--disable-ldap --disable-mqtt --disable-pop3 --disable-rtsp --disable-smb \
		--disable-smtp --disable-telnet --disable-tftp --without-librtmp --without-libssh2 \
		--without-gssapi --without-nghttp2 --without-libidn2 --without-libpsl --without-zlib \
		--without-brotli --without-zstd --disable-alt-svc --disable-cookies --disable-doh \
		--disable-hsts --disable-http-auth --disable-mime --disable-tls-srp \
		--disable-unix-sockets --disable-manual
	make -C lib install
	make -C include install
	make install-pkgconfigDATA
}

# HTTP by epoll. What is left out: TLS, by which it needs GnuTLS; authentication, and forms.
build_libmicrohttpd() {
	./configure -q --prefix="$prefix" --disable-dependency-tracking --disable-static \
		--disable-https --disable-bauth --disable-dauth --disable-httpupgrade \
		--disable-postprocessor --disable-doc --disable-examples --disable-curl
	make -C src/microhttpd install
	make -C src/include install
	make install-pkgconfigDATA
}

# What is left out: TLS, by which it needs Mbed TLS; HTTP, and WebSockets, which need it.
build_nng() {
	cmake -S . -B build -DCMAKE_BUILD_TYPE=None -DCMAKE_INSTALL_PREFIX="$prefix" \
		-DCMAKE_INSTALL_LIBDIR=lib -DBUILD_SHARED_LIBS=ON -DNNG_TESTS=OFF -DNNG_TOOLS=OFF \
		-DNNG_ENABLE_HTTP=OFF -DNNG_TRANSPORT_WS=OFF -DNNG_TRANSPORT_TLS=OFF
	make -C build install
}

# The last two patches of curl are for libraries of another name, with another TLS.
unpack() {
	dpkg-source --skip-patches -x "/sources/${package}"_*.dsc source
	grep -vE '^(#|$|90_gnutls|99_nss)' source/debian/patches/series >series
	while read -r name _; do
		patch -d source -sp1 <"source/debian/patches/$name"
	done <series
}

# What Debian says of the package and its licence: for image-root.sh.
describe() { # describe BINARY_PACKAGE
	mkdir -p "$prefix/share/doc/$1" "$prefix/share/status.d"
	cp debian/copyright "$prefix/share/doc/$1/"
	printf 'Package: %s\nStatus: install ok installed\nArchitecture: %s\nSource: %s\nVersion: %s\n' \
		"$1" "$(dpkg --print-architecture)" "$package" "$(dpkg-parsechangelog -S Version)" \
		>"$prefix/share/status.d/$1"
	printf 'Description: built from the source package, with less in it\n' \
		>>"$prefix/share/status.d/$1"
}

flags=$(DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --export=sh)
eval "$flags"
MAKEFLAGS="-s -j$(nproc)"
export MAKEFLAGS
mkdir -p "/build-$package"
cd "/build-$package"
unpack
cd source
"build_$package"
strip "$prefix"/lib/*.so
case "$package" in
curl) describe libcurl4 ;;
libmicrohttpd) describe libmicrohttpd12 ;;
nng) describe libnng1 ;;
esac
