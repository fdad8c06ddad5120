import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsServer;
import com.sun.net.httpserver.spi.HttpServerProvider;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;

/** Binds the JVM's HTTP servers to loopback: Flink's Prometheus reporter knows a port, but no address. */
public final class LoopbackHttp extends HttpServerProvider {
    private final HttpServerProvider standard;

    public LoopbackHttp() throws ReflectiveOperationException {
        standard = (HttpServerProvider)
                Class.forName("sun.net.httpserver.DefaultHttpServerProvider").getDeclaredConstructor().newInstance();
    }

    @Override
    public HttpServer createHttpServer(InetSocketAddress address, int backlog) throws IOException {
        return standard.createHttpServer(loopback(address), backlog);
    }

    @Override
    public HttpsServer createHttpsServer(InetSocketAddress address, int backlog) throws IOException {
        return standard.createHttpsServer(loopback(address), backlog);
    }

    private static InetSocketAddress loopback(InetSocketAddress address) {
        return new InetSocketAddress(InetAddress.getLoopbackAddress(), address.getPort());
    }
}
