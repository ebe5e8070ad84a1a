#!/bin/sh
# Builds three libraries from Debian's source packages, with its patches and its compiler flags, but
# with only what ESDDNS uses of them. Called by k8s/Dockerfile.
# usage: image-libraries.sh PREFIX
set -eu
prefix=$1
eval "$(DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --export=sh)"
jobs=$(nproc)
export MAKEFLAGS="-s -j$jobs"

# The last two patches of curl make libraries of the same source with another name and other TLS.
unpack_curl() {
	dpkg-source --skip-patches -x curl_*.dsc curl
	grep -vE '^(#|$|90_gnutls|99_nss)' curl/debian/patches/series >series
	while read -r name; do
		patch -d curl -sp1 <"curl/debian/patches/$name"
	done <series
}

# HTTP and HTTPS by OpenSSL. What is left out: every other protocol, GnuTLS, Kerberos, LDAP, SSH,
# HTTP/2, compression, cookies, authentication, and a resolver with threads.
build_curl() {
	cd curl
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
	cd ..
}

# A server of HTTP, with poll by epoll. What is left out: TLS, by which it needs GnuTLS,
# authentication, and forms.
build_microhttpd() {
	cd libmicrohttpd-*/
	./configure -q --prefix="$prefix" --disable-dependency-tracking --disable-static \
		--disable-https --disable-bauth --disable-dauth --disable-httpupgrade \
		--disable-postprocessor --disable-doc --disable-examples --disable-curl
	make -C src/microhttpd install
	make -C src/include install
	make install-pkgconfigDATA
	cd ..
}

# What is left out: TLS, by which it needs Mbed TLS, WebSockets, and HTTP, which they need.
build_nng() {
	cmake -S nng-*/ -B nng-build -DCMAKE_BUILD_TYPE=None -DCMAKE_INSTALL_PREFIX="$prefix" \
		-DCMAKE_INSTALL_LIBDIR=lib -DBUILD_SHARED_LIBS=ON -DNNG_TESTS=OFF -DNNG_TOOLS=OFF \
		-DNNG_ENABLE_HTTP=OFF -DNNG_TRANSPORT_WS=OFF -DNNG_TRANSPORT_TLS=OFF
	make -C nng-build install
}

apt-get -q source --download-only curl libmicrohttpd nng
dpkg-source -x libmicrohttpd_*.dsc
dpkg-source -x nng_*.dsc
unpack_curl
build_curl
build_microhttpd
build_nng
