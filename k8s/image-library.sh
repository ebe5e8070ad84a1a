#!/bin/sh
# Builds one library from Debian's source package, with its patches and its compiler flags, but with
# only what ESDDNS uses of it. Called by k8s/Dockerfile, in an empty directory.
# usage: image-library.sh curl|libmicrohttpd|nng PREFIX
set -eu
package=$1
prefix=$2

# HTTP and HTTPS by OpenSSL. What is left out: every other protocol, GnuTLS, Kerberos, LDAP, SSH,
# HTTP/2, compression, cookies, authentication, and a resolver with threads.
build_curl() {
	# the last two patches are for libraries of the same source with another TLS and another name
	dpkg-source --skip-patches -x curl_*.dsc source
	cd source
	grep -vE '^(#|$|90_gnutls|99_nss)' debian/patches/series >../series
	while read -r name; do
		patch -sp1 <"debian/patches/$name"
	done <../series
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
	dpkg-source -x libmicrohttpd_*.dsc source
	cd source
	./configure -q --prefix="$prefix" --disable-dependency-tracking --disable-static \
		--disable-https --disable-bauth --disable-dauth --disable-httpupgrade \
		--disable-postprocessor --disable-doc --disable-examples --disable-curl
	make -C src/microhttpd install
	make -C src/include install
	make install-pkgconfigDATA
}

# What is left out: TLS, by which it needs Mbed TLS; HTTP, and WebSockets, which need it.
build_nng() {
	dpkg-source -x nng_*.dsc source
	cmake -S source -B build -DCMAKE_BUILD_TYPE=None -DCMAKE_INSTALL_PREFIX="$prefix" \
		-DCMAKE_INSTALL_LIBDIR=lib -DBUILD_SHARED_LIBS=ON -DNNG_TESTS=OFF -DNNG_TOOLS=OFF \
		-DNNG_ENABLE_HTTP=OFF -DNNG_TRANSPORT_WS=OFF -DNNG_TRANSPORT_TLS=OFF
	make -C build install
}

flags=$(DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --export=sh)
eval "$flags"
MAKEFLAGS="-s -j$(nproc)"
export MAKEFLAGS
apt-get -q source --download-only "$package"
"build_$package"
strip "$prefix"/lib/*.so
