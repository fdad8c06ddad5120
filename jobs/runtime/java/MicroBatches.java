import java.lang.reflect.Array;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.types.Row;

/**
 * Gathers rows of (key, fields...) into one row of (key, columns...) a key, for the operator that is chained behind it.
 *
 * <p>That operator works in this thread: while it does, what comes waits in the channel in front, and is the next batch.
 * So batches are as large as the load makes them, and nothing waits for a clock while there is work.
 *
 * <p>It keeps nothing: what was gathered goes on before a checkpoint's barrier does.
 */
public final class MicroBatches extends AbstractStreamOperator<Row> implements OneInputStreamOperator<Row, Row> {
    private static final long serialVersionUID = 1L;

    private final Class<?>[] fields;
    private final long widthMs;
    private final int mostRows;
    private final long mostBytes;

    private transient Map<Object, List<Row>> gathered;
    private transient int count;
    private transient long bytes;
    private transient boolean awaited;
    private transient long spentMs;

    /**
     * @param fields the class of each field behind the key
     * @param widthMs how long a row waits for others, at most, when nothing is being worked on
     * @param mostRows with how many rows a batch is full
     * @param mostBytes with how many bytes in its fields a batch is full
     */
    public MicroBatches(Class<?>[] fields, long widthMs, int mostRows, long mostBytes) {
        this.fields = fields;
        this.widthMs = widthMs;
        this.mostRows = mostRows;
        this.mostBytes = mostBytes;
    }

    @Override
    public void open() throws Exception {
        super.open();
        gathered = new LinkedHashMap<>();
        spentMs = 0;
    }

    @Override
    public void processElement(StreamRecord<Row> element) throws Exception {
        Row row = element.getValue();
        gathered.computeIfAbsent(row.getField(0), key -> new ArrayList<>()).add(row);
        count++;
        for (int field = 1; field <= fields.length; field++) {
            if (row.getField(field) instanceof byte[] raw) {
                bytes += raw.length;
            }
        }
        if (count >= mostRows || bytes >= mostBytes) {
            flush();
        } else if (!awaited) {
            awaited = true;
            // Who came while the batch before was worked on has waited that long already.
            long waitMs = Math.max(0, widthMs - spentMs);
            getProcessingTimeService().registerTimer(now() + waitMs, time -> {
                awaited = false;
                flush();
            });
        }
    }

    @Override
    public void prepareSnapshotPreBarrier(long checkpointId) throws Exception {
        flush();
    }

    @Override
    public void finish() throws Exception {
        flush();
        super.finish();
    }

    private void flush() {
        if (count == 0) {
            return;
        }
        Map<Object, List<Row>> batch = gathered;
        gathered = new LinkedHashMap<>();
        count = 0;
        bytes = 0;
        long began = now();
        for (Map.Entry<Object, List<Row>> entry : batch.entrySet()) {
            output.collect(new StreamRecord<>(Row.of(entry.getKey(), columns(entry.getValue()))));
        }
        spentMs = now() - began;
    }

    private Row columns(List<Row> rows) {
        Row columns = new Row(fields.length);
        for (int field = 0; field < fields.length; field++) {
            Object column = Array.newInstance(fields[field], rows.size());
            for (int place = 0; place < rows.size(); place++) {
                Array.set(column, place, rows.get(place).getField(field + 1));
            }
            columns.setField(field, column);
        }
        return columns;
    }

    private long now() {
        return getProcessingTimeService().getCurrentProcessingTime();
    }
}
